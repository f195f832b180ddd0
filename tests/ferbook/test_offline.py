from pathlib import Path

import pytest

from ferbook.offline import external_requests

CLEAN = """<!doctype html><html><head>
<link rel="stylesheet" href="_static/a.css"><link rel="canonical" href="https://example.org/p">
<script>const NAMESPACE = "http://www.w3.org/2000/svg";</script>
</head><body><a href="https://doi.org/10.1/x">paper</a>
<img src="data:image/png;base64,AAAA"><p>Get https://example.org/a.js and url(https://example.org)</p>
</body></html>"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_a_page_with_links_namespaces_and_data_is_clean(tmp_path):
    write(tmp_path, "index.html", CLEAN)
    write(
        tmp_path,
        "_static/a.css",
        "/* from https://example.org url(//x.org/a) */ p { background: url('b.png') }",
    )
    write(
        tmp_path,
        "_static/a.js",
        "// https://example.org\nel.setAttributeNS('http://www.w3.org/1999/xlink', 'x')",
    )
    assert external_requests(tmp_path) == []


@pytest.mark.parametrize(
    ("element", "address"),
    [
        ('<script src="https://cdn.org/require.js"></script>', "https://cdn.org/require.js"),
        ("<script src=//cdn.org/a.js></script>", "//cdn.org/a.js"),
        ('<SCRIPT async SRC="HTTPS://cdn.org/a.js"></SCRIPT>', "HTTPS://cdn.org/a.js"),
        ('<link href="https://fonts.org/f.css" rel="stylesheet">', "https://fonts.org/f.css"),
        ('<link rel="preconnect" href="https://fonts.org">', "https://fonts.org"),
        ('<img alt="" src="http://pics.org/a.png">', "http://pics.org/a.png"),
        ('<img alt="" src="a.png" srcset="a.png 1x, https://pics.org/b.png 2x">', "https://pics.org/b.png"),
        ('<iframe src="https://video.org/1"></iframe>', "https://video.org/1"),
        ('<object data="https://x.org/a.svg"></object>', "https://x.org/a.svg"),
        ('<video poster="https://x.org/p.jpg"></video>', "https://x.org/p.jpg"),
        ('<svg><image xlink:href="https://x.org/a.png"/></svg>', "https://x.org/a.png"),
        ("<div style=\"background: url( 'https://x.org/a.png' )\"></div>", "https://x.org/a.png"),
        ("<style>@import 'https://x.org/a.css';</style>", "https://x.org/a.css"),
        ("<style>p { background: url(//x.org/a.png) }</style>", "//x.org/a.png"),
        ('<script type="module">import m from "https://x.org/m.js";</script>', "https://x.org/m.js"),
        ("<script>fetch('https://x.org/data.json')</script>", "https://x.org/data.json"),
        ('<script>s.src = "https://x.org/late.js"</script>', "https://x.org/late.js"),
        ('<meta http-equiv="refresh" content="0; url=https://x.org/">', "https://x.org/"),
        ('<base href="https://x.org/">', "https://x.org/"),
    ],
)
def test_a_planted_request_is_found_with_page_line_and_address(tmp_path, element, address):
    write(tmp_path, "book/page.html", CLEAN.replace("<body>", f"<body>\n{element}"))
    (finding,) = external_requests(tmp_path)
    assert finding.startswith("book/page.html:5: ")
    assert finding.endswith(f" {address}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.css", "@font-face { src: url('https://fonts.org/f.woff2') }"),
        ("a.js", 'importScripts("https://x.org/w.js")'),
        ("a.svg", '<svg><image href="https://x.org/a.png"/></svg>'),
    ],
)
def test_a_planted_request_in_a_file_beside_the_pages_is_found(tmp_path, name, text):
    write(tmp_path, f"_static/{name}", text)
    (finding,) = external_requests(tmp_path)
    assert finding.startswith(f"_static/{name}:")


def test_text_after_a_script_is_not_read_as_script(tmp_path):
    write(tmp_path, "index.html", "<script>1</script><p>fetch('https://x.org')</p>")
    assert external_requests(tmp_path) == []
