"""Every error a person or a program can cause, each a sentence with a next step.

GreenroomError
├── NotFound          it is not there, or not yours to see                    404
├── WrongMethod       it is there, for another method                         405
├── NotSignedIn       no key, a wrong key, or no session                      401
├── NotAllowed        known, but without the right                            403
├── Conflict          someone else was first                                  409
├── Invalid           the input cannot be used as it is                       400
│   ├── TooLarge      more bytes than the limit                               413
│   └── KeyReused     an Idempotency-Key came with another request            422
├── Refused           understood, and not done on purpose                     429
├── Withheld          a policy does not let it through                        400
├── CannotHold        a policy wants people to decide, and there are none     503
├── StoreUnavailable  the store cannot be opened, read or written             503
└── Upstream          a backend did not give an answer                        502
    ├── UpstreamTimeout    it was too slow                                    504
    ├── UpstreamRejected   it answered with an error of its own               its status
    ├── UpstreamBroken     what it sent cannot be read                        502
    └── BackendUnavailable none may be asked now (breaker open, disabled)     503

`code` is stable and for programs, the message is for the person who caused it, `hint` is the next step.
"""

from __future__ import annotations


class GreenroomError(Exception):
    """Something a caller can understand and act on."""

    status: int = 500
    kind: str = "server_error"
    code: str = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class NotFound(GreenroomError):
    status, kind, code = 404, "invalid_request_error", "not_found"


class WrongMethod(GreenroomError):
    """`allowed` are the methods that would work."""

    status, kind, code = 405, "invalid_request_error", "method_not_allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class NotSignedIn(GreenroomError):
    status, kind, code = 401, "invalid_request_error", "invalid_api_key"


class NotAllowed(GreenroomError):
    status, kind, code = 403, "invalid_request_error", "not_allowed"


class Conflict(GreenroomError):
    status, kind, code = 409, "invalid_request_error", "conflict"


class Invalid(GreenroomError):
    status, kind, code = 400, "invalid_request_error", "invalid_request"


class TooLarge(Invalid):
    status, code = 413, "request_too_large"


class KeyReused(Invalid):
    """Status: IETF draft "The Idempotency-Key HTTP Header Field", section 2.7."""

    status, code = 422, "idempotency_key_reused"


class Refused(GreenroomError):
    status, kind, code = 429, "rate_limit_error", "refused"


class Withheld(GreenroomError):
    status, kind, code = 400, "invalid_request_error", "content_filter"


class CannotHold(GreenroomError):
    status, code = 503, "no_review_queue"


class StoreUnavailable(GreenroomError):
    status, code = 503, "store_unavailable"


class Upstream(GreenroomError):
    """A backend did not give an answer; `retry_after_s` is its own wish, `upstream_status` what it said,
    `passed_on` those of its headers a caller can use."""

    status, kind, code = 502, "upstream_error", "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        param: str | None = None,
        upstream_status: int | None = None,
        retry_after_s: float | None = None,
        body: bytes = b"",
        passed_on: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, code=code, hint=hint, param=param)
        self.upstream_status = upstream_status
        self.retry_after_s = retry_after_s
        self.body = body
        self.passed_on = passed_on


class UpstreamTimeout(Upstream):
    status, code = 504, "upstream_timeout"


class UpstreamRejected(Upstream):
    code = "upstream_rejected"


class UpstreamBroken(Upstream):
    code = "upstream_broken"


class BackendUnavailable(Upstream):
    status, code = 503, "backend_unavailable"
