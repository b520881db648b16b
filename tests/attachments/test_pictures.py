"""Conversion of pictures: what remains, and what is refused."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from PIL import Image

from api.attachments.errors import PictureTooLarge, UnreadablePicture
from api.attachments.formats import Format, find_format
from api.attachments.pictures import Picture, Variant, convert
from tests.attachments import files

LIMITS = {"pixels_max": 40_000_000, "bytes_max": 20 * 2**20}
KINDS = [("PNG", Format.PNG), ("JPEG", Format.JPEG), ("WEBP", Format.WEBP)]


def converted(data: bytes, source: Format, **limits: int) -> Picture:
    return convert(data, source, **{**LIMITS, **limits})


def opened(picture: Picture, variant: Variant = Variant.ORIGINAL) -> Image.Image:
    image = Image.open(io.BytesIO(picture.variants[variant]))
    image.load()
    return image


class TestConvert:
    @pytest.mark.parametrize(("kind", "source"), KINDS)
    def test_keeps_the_pixels_and_no_metadata(self, kind: str, source: Format) -> None:
        data = files.picture_with_metadata(kind)
        assert files.SECRET in data
        picture = converted(data, source)
        (kept,) = picture.variants.values()
        assert files.SECRET not in kept
        assert b"alert" not in kept
        image = opened(picture)
        assert image.format == kind
        assert {"exif", "icc_profile", "comment", "xmp", "Comment"}.isdisjoint(image.info)
        # the metadata say that it is turned
        assert (picture.width, picture.height) == image.size == (30, 40)
        before = Image.open(io.BytesIO(data)).convert("L").rotate(-90, expand=True)
        differences = [
            abs(one - other) for one, other in zip(before.tobytes(), image.convert("L").tobytes(), strict=True)
        ]
        assert max(differences) < 20

    @pytest.mark.parametrize(
        ("data", "source", "mode"),
        [
            (files.picture("PNG", mode="RGBA"), Format.PNG, "RGBA"), (files.picture("PNG", mode="LA"), Format.PNG, "RGBA"),
            (files.picture("PNG", mode="I;16"), Format.PNG, "RGB"), (files.picture("PNG", mode="1"), Format.PNG, "RGB"),
            (files.picture("PNG", mode="P"), Format.PNG, "RGB"), (files.picture("JPEG", mode="CMYK"), Format.JPEG, "RGB"),
            (files.picture("JPEG", mode="L"), Format.JPEG, "RGB"), (files.picture("WEBP", mode="RGBA"), Format.WEBP, "RGBA"),
        ],
    )  # fmt: skip
    def test_reads_every_kind_of_pixels(self, data: bytes, source: Format, mode: str) -> None:
        image = opened(converted(data, source))
        assert image.size == (40, 30)
        assert image.mode in {mode, "RGB"}  # webp stores no transparency where all pixels are opaque
        assert len(set(image.convert("L").tobytes())) > 1

    def test_an_animation_becomes_its_first_frame(self) -> None:
        picture = converted(files.animation(), Format.GIF)
        assert picture.format is Format.PNG
        image = opened(picture)
        assert getattr(image, "n_frames", 1) == 1
        assert image.getpixel((3, 3)) == (0, 0, 0)

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((1600, 1200), {"original": (1600, 1200), "large": (1280, 960), "small": (320, 240)}),
            ((1280, 10), {"original": (1280, 10), "small": (320, 2)}), ((320, 400), {"original": (320, 400)}),
            ((2000, 1), {"original": (2000, 1), "large": (1280, 1), "small": (320, 1)}),
        ],
    )  # fmt: skip
    def test_has_smaller_sizes_of_wider_pictures(self, size: tuple[int, int], expected: dict[str, Any]) -> None:
        picture = converted(files.picture("JPEG", size), Format.JPEG)
        assert {str(each): opened(picture, each).size for each in picture.variants} == expected


class TestHostile:
    @pytest.mark.parametrize(("kind", "source"), [*KINDS, ("GIF", Format.GIF)])
    @pytest.mark.parametrize(
        "added", [files.SCRIPT, files.archive("META-INF/MANIFEST.MF", "Evil.class"), files.PDF, files.HTML]
    )
    def test_what_follows_the_picture_is_left_out(self, kind: str, source: Format, added: bytes) -> None:
        data = files.picture(kind) + added
        assert find_format(data, "a.html") is source
        picture = converted(data, source)
        for kept in picture.variants.values():
            assert added[:20] not in kept
            assert added[-20:] not in kept

    def test_a_script_among_the_pixels_is_no_markup_afterwards(self) -> None:
        """The bytes of a palette of a GIF are chosen by the attacker."""
        image = Image.new("P", (16, 16))
        image.putpalette((files.SCRIPT + bytes(768))[:768])
        for index in range(256):
            image.putpixel((index % 16, index // 16), index)
        file = io.BytesIO()
        image.save(file, "GIF")
        data = file.getvalue()
        assert files.SCRIPT in data
        assert files.SCRIPT not in converted(data, Format.GIF).variants[Variant.ORIGINAL]

    def test_10000_by_10000_pixels_are_refused_before_decoding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = files.huge_png(10_000, 10_000)
        assert len(data) < 100_000
        monkeypatch.setattr(Image.Image, "load", pytest.fail)
        with pytest.raises(PictureTooLarge) as refused:
            converted(data, Format.PNG)
        assert refused.value.extensions == {"pixels_max": 40_000_000, "side_max": 20_000}

    def test_a_long_side_is_refused(self) -> None:
        with pytest.raises(PictureTooLarge):
            converted(files.huge_png(20_001, 1), Format.PNG)
        assert converted(files.huge_png(20_000, 1), Format.PNG).width == 20_000

    def test_the_limit_is_exact(self) -> None:
        data = files.picture("PNG", (40, 30))
        assert converted(data, Format.PNG, pixels_max=1200).width == 40
        with pytest.raises(PictureTooLarge):
            converted(data, Format.PNG, pixels_max=1199)

    def test_a_text_bomb_is_refused(self) -> None:
        with pytest.raises(UnreadablePicture):
            converted(files.text_bomb_png(), Format.PNG)

    def test_a_picture_that_grows_too_much_is_refused(self) -> None:
        noise = Image.frombytes("RGB", (200, 200), random.Random(1).randbytes(120_000))
        file = io.BytesIO()
        noise.save(file, "PNG")
        with pytest.raises(PictureTooLarge) as refused:
            converted(file.getvalue(), Format.PNG, bytes_max=10_000)
        assert refused.value.extensions == {"bytes_max": 10_000}

    def test_a_picture_of_another_type_is_not_read(self) -> None:
        for kind, _ in KINDS:
            for _, source in KINDS:
                if source.value != kind.lower().replace("jpeg", "jpg"):
                    with pytest.raises(UnreadablePicture):
                        converted(files.picture(kind), source)

    @pytest.mark.parametrize(("kind", "source"), KINDS)
    def test_a_truncated_picture_is_refused(self, kind: str, source: Format) -> None:
        data = files.picture(kind, (200, 150))
        for length in range(0, int(len(data) * 0.9), max(1, len(data) // 40)):
            with pytest.raises(UnreadablePicture):
                converted(data[:length], source)

    @pytest.mark.parametrize(("kind", "source"), [*KINDS, ("GIF", Format.GIF)])
    def test_a_damaged_picture_is_refused_or_read(self, kind: str, source: Format) -> None:
        """Nothing else happens for 300 files with changed bytes."""
        data, chance = files.picture(kind, (64, 48)), random.Random(kind)
        refused = 0
        for _ in range(300):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                converted(bytes(damaged), source, pixels_max=1_000_000)
            except (UnreadablePicture, PictureTooLarge):
                refused += 1
        assert refused > 0
