"""The container of the domain attachments: the objects that a process makes once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from api.attachments.examination import Examination
from api.kernel.container import KernelContainer, provided
from api.kernel.storage import StoragePort


@dataclass(frozen=True, kw_only=True)
class AttachmentsContainer(KernelContainer):
    """Adds the examination of uploads."""

    examination: Examination


ProvidedExamination = Annotated[
    Examination, Depends(provided(AttachmentsContainer, lambda container: container.examination))
]
ProvidedStorage = Annotated[StoragePort, Depends(provided(AttachmentsContainer, lambda container: container.storage))]
