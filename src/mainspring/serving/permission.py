"""Whether a model version may serve: its gates, people's approvals and its signature."""

from mainspring.domain.attestation import SigningState
from mainspring.domain.model import ModelVersion
from mainspring.domain.service import Service
from mainspring.governance import approvals
from mainspring.kernel.errors import Rejected
from mainspring.serving import rules
from mainspring.store.tx import Tx


def check_gates(service: Service, version: ModelVersion) -> None:
    """Raise `Rejected` (code `gates_not_passed`) unless every declared gate passed."""
    unmet = rules.unmet_gates(service.spec.gates, version.gate_results)
    if unmet:
        raise Rejected(
            f"version {version.number} of {version.model} may not serve: {'; '.join(unmet)}",
            code="gates_not_passed",
            hint="Train another version, or change the gates and have a new version judged by them.",
        )


def signature_wanted(service: Service, version: ModelVersion) -> bool:
    """Whether a trusted key's signature is still missing; raises `Rejected` if there is one that does not hold."""
    why = rules.why_unsigned(service.spec.serve, version.signing)
    if why and version.signing.state is SigningState.BROKEN:
        raise Rejected(
            f"version {version.number} of {version.model} may not serve: {why}",
            code="signature_broken",
            hint="`mainspring model verify` tells more. Sign it again, or register it anew.",
        )
    return why is not None


def approvals_wanted(tx: Tx, service: Service, version: ModelVersion) -> int:
    """How many approvals are still missing; raises `Rejected` if somebody said no.

    Under `not_by_author` neither the word of the one who declared the service counts nor that of the one
    who registered the version: either may have written the model.
    """
    policy = service.spec.retrain.approvals
    given = [a for a in approvals.approvals_of(tx, version.id) if a.service == service.spec.name]
    if against := approvals.refusing(given, version.manifest):
        raise Rejected(
            f"version {version.number} of {version.model} may not serve: "
            f"{', '.join(sorted(against))} said no",
            code="approval_refused",
            hint="Roll it back, or ask them to look again.",
        )
    authors = {service.applied_by, version.created_by} if policy.not_by_author else set()
    return rules.missing_approvals(policy, approvals.agreeing(given, version.manifest) - authors)
