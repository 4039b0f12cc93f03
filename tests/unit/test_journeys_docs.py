"""The page that marketing reads says what the tables say."""

from pathlib import Path

from streams.journeys import picture
from streams.journeys.stages import DEFINITION_VERSION, MOMENTS, NAMES

PAGE = Path(__file__).parents[2] / "docs" / "journeys.md"


def test_the_page_is_what_the_tables_generate():
    page = PAGE.read_text()
    assert page == picture.filled(page), "run: python -m streams.journeys.picture docs/journeys.md"
    assert page.count("generated -->") == 3
    for name in (*NAMES, *(moment.name for moment in MOMENTS), DEFINITION_VERSION):
        assert f"`{name}`" in page


def test_a_page_that_drifted_is_noticed():
    page = PAGE.read_text().replace("2 downloads within 30 days", "3 downloads within 30 days")
    assert page != picture.filled(page) == PAGE.read_text()
