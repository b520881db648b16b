"""The types of files, found by their content."""

from __future__ import annotations

import zipfile

import pytest

from api.attachments.errors import UnsupportedFile
from api.attachments.formats import Format, file_name, find_format
from tests.attachments import files


class TestFindFormat:
    @pytest.mark.parametrize("name", ["plan.txt", "plan.html", "plan", ""])
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (files.picture("PNG"), Format.PNG), (files.picture("JPEG"), Format.JPEG), (files.picture("WEBP"), Format.WEBP),
            (files.picture("WEBP", lossless=True), Format.WEBP), (files.animation(), Format.GIF), (files.PDF, Format.PDF),
            (files.DOCX, Format.DOCX), (files.XLSX, Format.XLSX), (files.ODT, Format.ODT),
            (b"%PDF-1.4\n1 0 obj\n", Format.PDF),
        ],
    )  # fmt: skip
    def test_by_content_and_not_by_name(self, data: bytes, name: str, expected: Format) -> None:
        assert find_format(data, name) is expected

    @pytest.mark.parametrize(
        ("data", "name", "expected"),
        [
            (b"Costs: 10 EUR\n", "plan.txt", Format.TXT), (b"a;b\r\n1;2\r\n", "plan.CSV", Format.CSV),
            ("Zażółć gęślą jaźń".encode(), "plan.txt", Format.TXT), ("Zażółć".encode("cp1250"), "plan.csv", Format.CSV),
            (b"\xef\xbb\xbfa,b\n", "plan.csv", Format.CSV), (b"1 < 2 and 3 > 2\n", "plan.txt", Format.TXT),
        ],
    )  # fmt: skip
    def test_text_by_the_ending_of_its_name(self, data: bytes, name: str, expected: Format) -> None:
        assert find_format(data, name) is expected

    @pytest.mark.parametrize("name", ["a.png", "a.txt", "a.csv", "a.pdf"])
    @pytest.mark.parametrize(
        "data",
        [
            b"", b"   \n", b"\xef\xbb\xbf", files.SVG, files.HTML, b"\n\n  " + files.HTML, b"Hello\n" + files.SCRIPT,
            b"a,b\n<SVG onload=alert(1)>,2", b"MZ" + bytes(500), b"\x7fELF" + bytes(500), bytes(100),
            "a,b".encode("utf-16"), files.archive("a.txt"), files.archive("word/document.xml"), b"PK\x03\x04" + bytes(100),
            files.archive("[Content_Types].xml", "word/document.xml", "xl/workbook.xml"),
            files.archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
            files.archive("[Content_Types].xml", "ppt/presentation.xml"),
            files.archive("content.xml", mimetype=b"application/vnd.oasis.opendocument.graphics"),
            files.archive("content.xml", mimetype=b"application/vnd.oasis.opendocument.text" + bytes(10**6)),
            files.archive("META-INF/MANIFEST.MF", "Evil.class"), files.DOCX[:-30], files.ODT[:40],
            bytes(1) + files.picture("PNG"), b"BM" + bytes(200), b"\x00\x00\x01\x00" + bytes(200),
        ],
    )  # fmt: skip
    def test_refuses_others(self, data: bytes, name: str) -> None:
        with pytest.raises(UnsupportedFile):
            find_format(data, name)

    def test_a_script_before_the_pdf_is_refused(self) -> None:
        """Readers of PDF accept the mark within the first kilobyte."""
        with pytest.raises(UnsupportedFile):
            find_format(files.SCRIPT + files.PDF, "a.pdf")

    def test_text_without_a_known_ending_is_refused(self) -> None:
        for name in ("run.sh", "page.html", "readme", "a.txt.js"):
            with pytest.raises(UnsupportedFile):
                find_format(b"echo 1\n", name)

    def test_an_archive_bomb_is_not_decompressed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bomb = files.archive("[Content_Types].xml", "word/document.xml", **{"word/media": bytes(10**6)})
        monkeypatch.setattr(zipfile.ZipFile, "open", pytest.fail)
        assert find_format(bomb, "a.docx") is Format.DOCX


class TestFileName:
    @pytest.mark.parametrize(
        ("name", "found", "expected"),
        [
            ("plan.pdf", Format.PDF, "plan.pdf"), ("photo.JPEG", Format.JPEG, "photo.jpg"), ("plan", Format.PDF, "plan.pdf"),
            ("invoice.exe", Format.PDF, "invoice.pdf"), ("../../etc/passwd", Format.TXT, "passwd.txt"),
            ("C:\\Users\\a\\plan.docx", Format.DOCX, "plan.docx"), (".htaccess", Format.TXT, "htaccess.txt"),
            ('a"b\r\n<c>.png', Format.PNG, "abc.png"), ("...", Format.CSV, "file.csv"), ("", Format.CSV, "file.csv"),
            ("Zażółć 1.5.txt", Format.TXT, "Zażółć 1.5.txt"), ("v1.2 final", Format.PDF, "v1.2 final.pdf"),
            ("x" * 500, Format.TXT, "x" * 150 + ".txt"),
        ],
    )  # fmt: skip
    def test_is_safe_and_has_the_ending_of_the_type(self, name: str, found: Format, expected: str) -> None:
        assert file_name(name, found) == expected
