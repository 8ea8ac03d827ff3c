"""From a site's settings to its webhooks; a part of ``streamer.wiring``."""

from pydantic import SecretStr

from config import SiteSettings, WebhookEvent, WebhookSettings, signing_key
from streamer.webhooks.target import (
    ALERT_EVENTS,
    CAMERA_FITNESS,
    CAMERA_STATUS,
    PictureForm,
    TargetTls,
    WebhookTarget,
)


def webhook_targets_of(site: SiteSettings) -> list[WebhookTarget]:
    """The HTTP servers that are told; those that are switched off are left out."""
    return [
        _webhook_target(site, name, webhook) for name, webhook in site.webhooks.items() if webhook.enabled
    ]


def _webhook_target(site: SiteSettings, name: str, webhook: WebhookSettings) -> WebhookTarget:
    types = {ALERT_EVENTS[str(event)] for event in webhook.events if event is not WebhookEvent.CAMERA}
    if WebhookEvent.CAMERA in webhook.events:
        types |= {CAMERA_STATUS, CAMERA_FITNESS}
    tls = webhook.tls
    return WebhookTarget(
        name=name,
        url=webhook.url.address.get_secret_value(),
        shown=str(webhook.url),
        keys=tuple(signing_key(key) for key in map(_revealed, (webhook.secret, webhook.old_secret)) if key),
        token=_revealed(webhook.token),
        types=frozenset(types),
        places=None
        if "*" in webhook.where
        else frozenset((place.camera, place.zone) for place in site.places_at(webhook.where)),
        rules=frozenset(webhook.rules) or None,
        picture=PictureForm(str(webhook.snapshot)),
        picture_bytes=webhook.snapshot_bytes,
        dashboard=webhook.dashboard.address.get_secret_value() if webhook.dashboard else None,
        tls=TargetTls(
            ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file, verify=not tls.insecure
        ),
        proxy=webhook.proxy.address.get_secret_value() if webhook.proxy else None,
        timeout_s=webhook.timeout_s,
        max_age_s=webhook.max_age_s,
        max_waiting=webhook.max_waiting,
    )


def _revealed(secret: SecretStr | None) -> str | None:
    """The value, at the last moment before it is used."""
    return None if secret is None else secret.get_secret_value()
