"""The document of the API says of every route what it is for, what it takes, and how it fails."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest

from supervisor.api.app import Guards, build
from supervisor.api.examples import EXAMPLES
from supervisor.api.openapi import OPEN, group_of
from supervisor.api.routes import docs, page
from tests.supervisor.fake_daemon import FakeDaemon


@pytest.fixture(scope="module")
def document():
    return build(FakeDaemon(), version="0.1.0", guards=Guards()).openapi()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_says_what_it_does(document):
    silent = [name for name, one in operations(document) if not one.get("description", "").strip()]
    assert silent == []


def test_every_summary_is_a_line_and_one_of_its_own(document):
    wrong = [name for name, one in operations(document) if not 3 < len(one["summary"]) <= 110]
    assert wrong == []


def test_every_route_is_in_a_group_that_the_document_names(document):
    named = {tag["name"] for tag in document["tags"]}
    assert [name for name, one in operations(document) if not set(one["tags"]) <= named] == []
    assert (group_of("/api/v1/strategies/{id}/schema"), group_of("/health")) == ("Catalogue", "Operations")


def test_every_error_is_a_problem_document(document):
    shared = document["components"]["responses"]
    assert {key for one in shared.values() for key in one["content"]} == {"application/problem+json"}
    for name, operation in operations(document):
        errors = {int(status): one for status, one in operation["responses"].items() if int(status) >= 400}
        plain = [status for status, one in errors.items() if "$ref" not in one]
        # Not ready is no error of the request: it says what is missing.
        assert plain == ([503] if name == "GET /readyz" else []), name


def test_a_route_needs_a_key_unless_it_is_for_probes(document):
    free = {name.split()[1] for name, one in operations(document) if one["security"] == []}
    assert free <= OPEN
    assert {"/health", "/livez", "/readyz"} <= free


def test_every_body_that_is_sent_has_an_example_that_is_right_by_its_schema(document):
    components = document["components"]
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema = content["schema"].get("$ref", "").rsplit("/")[-1]
        examples = components["schemas"].get(schema, {}).get("examples") or [content.get("example")]
        assert examples[0] is not None, f"{name} has no example of {schema}"
        jsonschema.validate(examples[0], {"$ref": f"#/components/schemas/{schema}", "components": components})


def test_no_example_is_of_a_model_that_is_gone(document):
    assert [name for name in EXAMPLES if name not in document["components"]["schemas"]] == []


FOREIGN = re.compile(
    r"""<(?!a\s)[^>]*\b(?:src|href)\s*=\s*["']?(?:https?:)?//"""  # a link that one may follow loads nothing
    r"""|\burl\(\s*["']?(?:https?:)?//|\bfrom\s*["']https?:|\bfetch\(\s*["']https?:|@import\s+["']https?:""",
    re.IGNORECASE,
)


def test_no_page_loads_anything_of_another_host():
    """What Swagger UI itself holds of addresses are names of standards, and links that one may follow."""
    own = [
        path
        for folder in (docs.FOLDER, page.FOLDER)
        for path in Path(folder).rglob("*")
        if path.suffix in (".html", ".css", ".js") and "vendor" not in path.parts
    ]
    assert [path.name for path in own if FOREIGN.search(path.read_text())] == []
    assert "docs.js" in {path.name for path in own}
    assert "validatorUrl: null" in (docs.FOLDER / "docs.js").read_text()
    assert all("'self'" in part or "'none'" in part for part in docs.POLICY.split("; "))
    assert "//" not in docs.POLICY
