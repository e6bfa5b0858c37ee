"""The XMP packet of a mark: what it says, and how it joins a packet that is already there.

Any text is safe in it: the packet is written by an XML library, and characters that XML cannot hold are replaced. An
existing packet keeps what it says, except what a mark says too; one that is no XMP is replaced. Its XML is refused if
it defines entities, which XMP never does and attacks do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.dom.minidom import Document, Element, parseString
from xml.parsers.expat import ExpatError

from .. import __version__

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DARKROOM = "urn:x-darkroom:mark/1.0/"
TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
NAMESPACES = {
    "rdf": RDF,
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "darkroom": DARKROOM,
    "TC260": TC260,
}
EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
END = '<?xpacket end="w"?>'
NO_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold
LONGEST_PROMPT, LONGEST_NAME, LONGEST_AIGC = 8192, 256, 2048  # characters; the six bytes of one still fit a JPEG
MOST = 1_000_000  # bytes of an existing packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is told of a result: the model, the task by its public id, the term of IPTC's vocabulary as a URI.

    `created` is in UTC milliseconds; the prompt is told if it is given, and cut if it is very long. `aigc` is the text
    of China's field of that name (`aigc.field`), which joins no packet that has one.
    """

    model: str
    task_id: str
    digital_source_type: str
    created: int
    prompt: str | None = None
    aigc: str | None = None
    software: str = f"Darkroom {__version__}"


def extended(existing: bytes | None, mark: Mark) -> bytes:
    """The packet with the mark in it, UTF-8."""
    document = _parsed(existing) or parseString(EMPTY)  # noqa: S318 - our own
    rdf = document.getElementsByTagNameNS(RDF, "RDF")[0]
    facts = _facts(mark)
    about = ""
    for old in list(rdf.getElementsByTagNameNS(RDF, "Description")):
        if old.parentNode is not rdf:
            continue  # a structure inside of another fact
        about = about or old.getAttributeNS(RDF, "about")
        if old.getElementsByTagNameNS(DARKROOM, "taskId"):
            rdf.removeChild(old)  # an earlier mark
        else:
            _remove(old, facts)
    if mark.aigc and not _labelled(rdf):
        facts["TC260:AIGC"] = mark.aigc
    rdf.appendChild(_description(document, facts, about))
    root = document.documentElement
    assert root is not None
    return f"{BEGIN}{root.toxml()}{END}".encode()


def _parsed(packet: bytes | None) -> Document | None:
    """The packet; None for what is no XMP that can be extended."""
    if packet is None or len(packet) > MOST:
        return None
    try:
        text = packet.decode().strip("\0 \t\r\n")
        if "<!DOCTYPE" in text:
            return None
        document = parseString(text)  # noqa: S318 - no document type, so no entities
        found = document.getElementsByTagNameNS(RDF, "RDF")
        document.toxml()  # so that what is nested too deeply is found out now
    except (ExpatError, RecursionError, ValueError):
        return None
    return document if found else None


def _facts(mark: Mark) -> dict[str, str]:
    facts = {
        "Iptc4xmpExt:DigitalSourceType": mark.digital_source_type,
        "xmp:CreatorTool": mark.software,
        "xmp:CreateDate": datetime.fromtimestamp(mark.created // 1000, UTC).isoformat(),
        "darkroom:model": mark.model,
        "darkroom:taskId": mark.task_id,
    }
    if mark.prompt:
        facts["dc:description"] = mark.prompt
    return facts


def _remove(description: Element, facts: dict[str, str]) -> None:
    """Take out what the mark says too: a fact that is told twice is a broken packet."""
    for name in facts:
        prefix, _, local = name.partition(":")
        if description.hasAttributeNS(NAMESPACES[prefix], local):
            description.removeAttributeNS(NAMESPACES[prefix], local)
        for child in list(description.childNodes):
            if (child.namespaceURI, child.localName) == (NAMESPACES[prefix], local):
                description.removeChild(child)


def _labelled(rdf: Element) -> bool:
    """Whether somebody has written the field `AIGC` already."""
    return bool(rdf.getElementsByTagNameNS(TC260, "AIGC")) or any(
        description.hasAttributeNS(TC260, "AIGC") for description in rdf.getElementsByTagNameNS(RDF, "Description")
    )


def _description(document: Document, facts: dict[str, str], about: str) -> Element:
    description = document.createElement("rdf:Description")
    for prefix in ("rdf", *dict.fromkeys(name.partition(":")[0] for name in facts)):
        description.setAttribute(f"xmlns:{prefix}", NAMESPACES[prefix])
    description.setAttribute("rdf:about", about)
    for name, text in facts.items():
        fact = description.appendChild(document.createElement(name))
        longest = LONGEST_AIGC if name == "TC260:AIGC" else LONGEST_NAME
        if name == "dc:description":  # a text in languages, of which this is the default
            longest = LONGEST_PROMPT
            fact = fact.appendChild(document.createElement("rdf:Alt")).appendChild(document.createElement("rdf:li"))
            fact.setAttribute("xml:lang", "x-default")
        fact.appendChild(document.createTextNode(_clean(text, longest)))
    return description


def _clean(text: str, longest: int) -> str:
    text = NO_TEXT.sub("\ufffd", text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
