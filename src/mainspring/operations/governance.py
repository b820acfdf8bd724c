"""Governance's verbs."""

from mainspring.domain.actor import Permission
from mainspring.governance import requests
from mainspring.operations.operation import Kind, Operation

OPERATIONS = (
    Operation(
        name="event.list",
        request=requests.ListEvents,
        run="mainspring.governance.events:list_events",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /events",
        command="event list",
    ),
    Operation(
        name="audit.list",
        request=requests.ListAuditEntries,
        run="mainspring.governance.audit:list_audit_entries",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /audit",
        command="audit list",
    ),
    Operation(
        name="audit.verify",
        request=requests.VerifyAudit,
        run="mainspring.governance.audit:verify_audit",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /audit/verdict",
    ),
    Operation(
        name="token.issue",
        request=requests.IssueToken,
        run="mainspring.governance.tokens:issue_token",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /tokens",
        command="token issue name role",
    ),
    Operation(
        name="token.list",
        request=requests.ListTokens,
        run="mainspring.governance.tokens:list_tokens",
        permission=Permission.ADMINISTER,
        kind=Kind.QUERY,
        route="GET /tokens",
        command="token list",
    ),
    Operation(
        name="token.revoke",
        request=requests.RevokeToken,
        run="mainspring.governance.tokens:revoke_token",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="DELETE /tokens/{id}",
        command="token revoke id",
    ),
)
