from __future__ import annotations

from pipelines import wording


class TestStatus:
    def test_a_status_has_a_text_for_sentences_and_for_tables(self) -> None:
        assert wording.status("not_selected") == "not selected"
        assert wording.status("competing") == "competing"
        assert wording.status_title("not_selected") == "Not selected"
        assert wording.status_title("outcome_unknown") == "Outcome not in the file"
