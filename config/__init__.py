"""Settings of a site: from YAML to frozen, bounded models, or to errors that name file, line and key."""

from config.camera import CameraSettings, ModelName, Priority, Transport
from config.camera_sections import (
    Anchor,
    Blur,
    DecodeSettings,
    MotionSettings,
    PrivacySettings,
    ReconnectSettings,
    SnapshotSettings,
    TilesSettings,
    ZoneSettings,
)
from config.cluster import ClusterSettings
from config.errors import ConfigError, ConfigProblem
from config.feedback import FeedbackSettings
from config.loading import load_site
from config.revision import config_revision
from config.rule import AlertPer, Allowance, RequiredGear, RuleSettings, ScheduleWindow, Severity
from config.schema import site_schema
from config.service import (
    Device,
    HttpSettings,
    InferenceSettings,
    IngestSettings,
    MqttSettings,
    Protocol,
    RetentionSettings,
    SiteIdentity,
)
from config.site import Place, SiteSettings
from config.urls import StreamUrl
from config.webhook import SnapshotForm, WebhookEvent, WebhookSettings, WebhookUrl, signing_key

__all__ = [
    "AlertPer",
    "Allowance",
    "Anchor",
    "Blur",
    "CameraSettings",
    "ClusterSettings",
    "ConfigError",
    "ConfigProblem",
    "DecodeSettings",
    "Device",
    "FeedbackSettings",
    "HttpSettings",
    "InferenceSettings",
    "IngestSettings",
    "ModelName",
    "MotionSettings",
    "MqttSettings",
    "Place",
    "Priority",
    "PrivacySettings",
    "Protocol",
    "ReconnectSettings",
    "RequiredGear",
    "RetentionSettings",
    "RuleSettings",
    "ScheduleWindow",
    "Severity",
    "SiteIdentity",
    "SiteSettings",
    "SnapshotForm",
    "SnapshotSettings",
    "StreamUrl",
    "TilesSettings",
    "Transport",
    "WebhookEvent",
    "WebhookSettings",
    "WebhookUrl",
    "ZoneSettings",
    "config_revision",
    "load_site",
    "signing_key",
    "site_schema",
]
