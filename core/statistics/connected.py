"""What can be compared with what: a question about the graph of votes, asked before any number is computed.

Contestants are 0…K − 1; an edge (winner, loser) is a vote, a tie is an edge both ways. Two contestants in different
*groups* share no chain of votes: nothing relates them. Within a group, strengths are finite only if every contestant
can be reached from every other by going from winner to loser, that is if the group is one *circle*. Source: L. R. Ford,
"Solution of a ranking problem from binary comparisons", American Mathematical Monthly 64 (1957).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def circles(size: int, edges: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The strongly connected components, whoever is beaten by nobody outside first; each in rising order.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", SIAM Journal on Computing 1 (1972), with a
    stack of its own: a long chain is no deep recursion.
    """
    beaten: list[list[int]] = [[] for _ in range(size)]
    for winner, loser in sorted(set(edges)):
        beaten[winner].append(loser)
    order: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    found: list[tuple[int, ...]] = []
    for root in range(size):
        if root in order:
            continue
        walk = [(root, 0)]
        while walk:
            node, place = walk.pop()
            if place == 0:
                order[node] = lowest[node] = len(order)
                path.append(node)
                on_path.add(node)
            for next_place in range(place, len(beaten[node])):
                other = beaten[node][next_place]
                if other not in order:
                    walk += [(node, next_place + 1), (other, 0)]
                    break
                if other in on_path:
                    lowest[node] = min(lowest[node], order[other])
            else:
                if lowest[node] == order[node]:
                    circle = [path.pop()]
                    while circle[-1] != node:
                        circle.append(path.pop())
                    on_path.difference_update(circle)
                    found.append(tuple(sorted(circle)))
                if walk:
                    parent = walk[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
    return found[::-1]


def groups(size: int, edges: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The weakly connected components: who is related to whom by any chain of votes; the largest first."""
    home = list(range(size))

    def top(node: int) -> int:
        while home[node] != node:
            home[node] = home[home[node]]
            node = home[node]
        return node

    for one, other in edges:
        home[top(one)] = top(other)
    members: dict[int, list[int]] = {}
    for node in range(size):
        members.setdefault(top(node), []).append(node)
    return sorted((tuple(group) for group in members.values()), key=lambda group: (-len(group), group))


def warnings(names: Sequence[str], edges: Sequence[tuple[int, int]], *, are_all: bool = True) -> list[str]:
    """What cannot be told from these votes, in sentences; empty where everybody can be compared with everybody.

    `are_all`: no vote was left out, so who has no edge was voted on by nobody.
    """
    apart = groups(len(names), edges)
    met = {node for edge in edges for node in edge}
    said = []
    if silent := [names[node] for node in range(len(names)) if node not in met]:
        whom = listed(silent)
        said.append(f"Nobody has voted on {whom} yet." if are_all else f"No vote that counts is on {whom}.")
    several = [group for group in apart if len(group) > 1]
    if len(several) > 1:
        sides = "; ".join(listed([names[node] for node in group]) for group in several)
        said.append(f"No votes link these groups, so their points cannot be compared with each other's: {sides}.")
    found = circles(len(names), edges)
    circle_of = {node: number for number, circle in enumerate(found) for node in circle}
    one_way = sorted({(circle_of[a], circle_of[b]) for a, b in edges if circle_of[a] != circle_of[b]})
    for above, below in one_way:
        up, down = (listed([names[node] for node in found[number]]) for number in (above, below))
        said.append(f"Every vote between {up} and {down} went to {up}: no distance can be told from such votes.")
    return said


def listed(names: Sequence[str]) -> str:
    """Names as they stand in a sentence: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
