"""The record of the domain attachments."""

from __future__ import annotations

from api.attachments.container import AttachmentsContainer
from api.attachments.cover_routes import PATH as COVER_PATH
from api.attachments.cover_routes import router as cover_router
from api.attachments.handlers import JOBS
from api.attachments.routes import PATH, router
from api.kernel.domains import Domain

ATTACHMENTS = Domain[AttachmentsContainer](
    name="attachments",
    routers=(router, cover_router),
    body_bytes_max=dict.fromkeys((PATH, COVER_PATH), lambda settings: settings.storage.upload_bytes_max),
    jobs=JOBS,
)
