"""docs/project-file.md says something about every field, and is what the models say."""

from pathlib import Path

from pydantic import BaseModel

from evergreen.project import model
from evergreen.project.reference import field_docs, reference

ROOT = Path(__file__).parents[3]
SECTIONS = [
    s
    for s in vars(model).values()
    if isinstance(s, type) and issubclass(s, BaseModel) and s is not model.Section
]


def test_every_field_of_every_section_is_described_and_nothing_else() -> None:
    for section in SECTIONS:
        assert list(field_docs(section)) == list(section.model_fields), section


def test_every_field_stands_in_the_reference() -> None:
    page = reference()
    for section in SECTIONS:
        for name, text in field_docs(section).items():
            assert f"| `{name}` |" in page
            assert text.replace("|", "\\|") in page


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "project-file.md").read_text() == reference(), "run `make docs`"


def test_links_in_the_page_lead_to_headings() -> None:
    page = reference()
    headings = {
        "".join(c for c in line.lower() if c.isalnum() or c in "-_")
        for line in page.splitlines()
        if line.startswith("## ")
    }
    links = {part.split(")")[0] for part in page.split("](#")[1:]}
    assert links <= headings
