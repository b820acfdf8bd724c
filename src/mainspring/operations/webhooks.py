"""The webhooks' verbs."""

from mainspring.domain.actor import Permission
from mainspring.operations.operation import Kind, Operation
from mainspring.webhooks import requests

# URLs of webhooks often carry a secret of their receiver's, so they are for administrators, like secrets.
_HIDDEN = ("secret", "url")

OPERATIONS = (
    Operation(
        name="webhook.create",
        request=requests.CreateWebhook,
        run="mainspring.webhooks.declare:create_webhook",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /webhooks",
        command="webhook create name url",
        secret=_HIDDEN,
    ),
    Operation(
        name="webhook.update",
        request=requests.UpdateWebhook,
        run="mainspring.webhooks.declare:update_webhook",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="PATCH /webhooks/{id}",
        command="webhook update id",
        secret=_HIDDEN,
    ),
    Operation(
        name="webhook.delete",
        request=requests.DeleteWebhook,
        run="mainspring.webhooks.declare:delete_webhook",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="DELETE /webhooks/{id}",
        command="webhook delete id",
    ),
    Operation(
        name="webhook.get",
        request=requests.GetWebhook,
        run="mainspring.webhooks.declare:get_webhook",
        permission=Permission.ADMINISTER,
        kind=Kind.QUERY,
        route="GET /webhooks/{id}",
        command="webhook show id",
    ),
    Operation(
        name="webhook.list",
        request=requests.ListWebhooks,
        run="mainspring.webhooks.declare:list_webhooks",
        permission=Permission.ADMINISTER,
        kind=Kind.QUERY,
        route="GET /webhooks",
        command="webhook list",
    ),
    Operation(
        name="webhook.try",
        request=requests.TryWebhook,
        run="mainspring.webhooks.notify:try_webhook",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /webhooks/{id}/test",
        command="webhook test id",
    ),
    Operation(
        name="delivery.list",
        request=requests.ListDeliveries,
        run="mainspring.webhooks.deliver:list_deliveries",
        permission=Permission.OPERATE,
        kind=Kind.QUERY,
        route="GET /webhooks/{webhook}/deliveries",
        command="webhook deliveries webhook",
    ),
    Operation(
        name="delivery.get",
        request=requests.GetDelivery,
        run="mainspring.webhooks.deliver:get_delivery",
        permission=Permission.OPERATE,
        kind=Kind.QUERY,
        route="GET /deliveries/{id}",
        command="webhook delivery id",
    ),
    Operation(
        name="delivery.next",
        request=requests.NextDelivery,
        run="mainspring.webhooks.deliver:next_delivery",
        permission=Permission.OPERATE,
        kind=Kind.QUERY,
        route="GET /next-delivery",
    ),
    Operation(
        name="delivery.claim",
        request=requests.ClaimDeliveries,
        run="mainspring.webhooks.deliver:claim_deliveries",
        permission=Permission.OPERATE,
        kind=Kind.REPORT,
        route="POST /deliveries/claim",
    ),
    Operation(
        name="delivery.record",
        request=requests.RecordDelivery,
        run="mainspring.webhooks.deliver:record_delivery",
        permission=Permission.OPERATE,
        kind=Kind.REPORT,
        route="POST /deliveries/{id}/outcome",
    ),
)
