"""The record of the domain attachments."""

from __future__ import annotations

from api.attachments.container import AttachmentsContainer
from api.attachments.handlers import JOBS
from api.attachments.routes import PATH, router
from api.kernel.domains import Domain

ATTACHMENTS = Domain[AttachmentsContainer](
    name="attachments",
    routers=(router,),
    body_bytes_max={PATH: lambda settings: settings.storage.upload_bytes_max},
    jobs=JOBS,
)
