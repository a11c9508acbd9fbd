"""The addresses of well-known servers and services, so that nobody has to look them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """What to fill in for one kind of backend; `variable` is where its key usually lies, "" when it needs none."""

    name: str
    base_url: str
    variable: str = ""
    note: str = ""


PRESETS: Mapping[str, Preset] = {
    "OpenAI": Preset("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "Anthropic": Preset(
        "anthropic",
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        "Through Anthropic's OpenAI-compatible endpoint; it ignores some parameters, such as response_format.",
    ),
    "Google Gemini": Preset("google", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "Azure OpenAI": Preset(
        "azure",
        "https://YOUR-RESOURCE.openai.azure.com/openai/v1",
        "AZURE_OPENAI_API_KEY",
        "Put your resource's name into the address. Models are your deployments' names; no api-version is needed.",
    ),
    "OpenRouter": Preset("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "Mistral": Preset("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "Groq": Preset("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "DeepSeek": Preset("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "Ollama": Preset(
        "ollama", "http://127.0.0.1:11434/v1", note="`ollama serve` on this machine, or another's address."
    ),
    "vLLM": Preset("vllm", "http://127.0.0.1:8000/v1", note="`vllm serve MODEL`, or the address of your GPU machine."),
    "llama.cpp": Preset("llama-cpp", "http://127.0.0.1:8080/v1", note="`llama-server -m MODEL.gguf`."),
    "LM Studio": Preset("lm-studio", "http://127.0.0.1:1234/v1", note="Start its local server first."),
    "Another server": Preset("", "", note="Any address that answers GET …/models and POST …/chat/completions."),
}
