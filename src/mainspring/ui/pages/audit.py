"""The audit log, and whether it is whole."""

from mainspring.governance.requests import ListAuditEntries, VerifyAudit
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_PAGE = 100


def audit(reader: Reader, asked: Asked) -> Page:
    """Entries, newest first; with `verify`, the verdict on the whole chain."""
    token = asked.get("page")
    chosen = {
        "actor": asked.get("actor"),
        "operation": asked.get("operation"),
        "outcome": asked.get("outcome"),
    }
    page = reader.ask(ListAuditEntries(**chosen, page_token=token, limit=_PAGE))
    return Page(
        template="audit.html",
        title="Audit",
        section="audit",
        context={
            "entries": page.items,
            "chosen": chosen,
            "is_filtered": any(chosen.values()),
            "verdict": reader.ask(VerifyAudit()) if asked.get("verify") else None,
            "next_address": links.with_query("/audit", **chosen, page=page.next_token)
            if page.next_token
            else None,
            "first_address": links.with_query("/audit", **chosen) if token else None,
        },
    )
