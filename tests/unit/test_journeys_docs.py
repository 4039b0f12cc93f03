"""The page that marketing reads says what the default definition says."""

from pathlib import Path

from streams.definition import default
from streams.journeys import picture

PAGE = Path(__file__).parents[2] / "docs" / "journeys.md"


def test_the_page_is_what_the_definition_generates():
    page = PAGE.read_text()
    assert page == picture.filled(page), "run: python -m streams.journeys.picture docs/journeys.md"
    assert page.count("generated -->") == 10
    names = [rule.name for rule in (*default().stages, *default().moments, *default().actions)]
    for name in (*names, *default().score.points, *(fact.attribute for fact in default().facts)):
        assert f"`{name}`" in page
    assert f"`{default().version}`" in page


def test_a_page_that_drifted_is_noticed():
    page = PAGE.read_text().replace("2 downloads within 30 days", "3 downloads within 30 days")
    assert page != picture.filled(page) == PAGE.read_text()
