"""Numbers 109 and 110: what runs code merely by being installed, and under which terms we have it."""

import re
import site
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import REPO

# Groups that nothing loads by itself.
COMMANDS = {"console_scripts", "gui_scripts"}
# Who offers code to whom, one pair a line: the group, the distribution.
RECORDED = """
array_api numpy
asdf.extensions sunpy
asdf.resource_mappings sunpy
babel.extractors jinja2
babel.extractors mako
dask.array.backends dask
dask_cli distributed
diff_cover sqlfluff
distutils.commands setuptools
distutils.setup_keywords cffi
distutils.setup_keywords setuptools
egg_info.writers setuptools
lingua.extractors mako
markdown.extensions markdown
mkdocs.plugins cyclopts
mkdocs.plugins prefect
networkx.backends networkx
opentelemetry_context opentelemetry-api
opentelemetry_environment_variables opentelemetry-api
opentelemetry_meter_provider opentelemetry-api
opentelemetry_propagator opentelemetry-api
opentelemetry_tracer_provider opentelemetry-api
pandas_plotting_backends pandas
pipx.run build
pkg_config numpy
prefect.collections prefect-dask
pygments.lexers mako
pyinstaller40 numpy
pytest11 anyio
pytest11 hypothesis
pytest11 platformdirs
pytest11 pytest-timeout
pytest11 pytest-xdist
pytest11 zarr
python.templating.engines mako
setuptools.finalize_distribution_options setuptools
sqlfluff sqlfluff
xarray.chunkmanagers xarray
"""
# Weak copyleft, used unmodified; and one that gives the choice.
WEAK = {"certifi", "hypothesis", "orjson", "pathspec", "shtab", "text-unidecode", "tqdm"}
COPYLEFT = re.compile(
    r"\b([AL]?GPL|GNU|Mozilla|MPL[- ]\d|EUPL|CDDL|Eclipse|EPL|Artistic|SSPL|Commons Clause)", re.IGNORECASE
)


def pinned():
    """Names in the lock that are installed here."""
    names = re.findall(r"^([A-Za-z0-9_.-]+)==", (REPO / "requirements.lock").read_text(), re.MULTILINE)
    installed = {d.name.lower().replace("_", "-") for d in metadata.distributions()}
    return sorted({n.lower().replace("_", "-") for n in names} & installed)


def offered():
    """Every group of entry points, with the distributions of the lock that are in it."""
    ours = set(pinned())
    installed = [(d, d.name.lower().replace("_", "-")) for d in metadata.distributions()]
    points = [(p.group, name) for d, name in installed if name in ours for p in d.entry_points]
    return {f"{group} {name}" for group, name in points if group not in COMMANDS}


def test_nothing_new_runs_code_by_being_installed():
    """Number 109; what is new is printed, to be looked at and recorded."""
    assert sorted(offered() - set(RECORDED.split("\n"))) == []


def test_no_path_file_runs_code_but_those_of_the_installer():
    """Number 109: a line of a .pth that starts with `import` runs at each start of Python."""
    known = {"distutils-precedence.pth"}
    files = [p for folder in site.getsitepackages() for p in Path(folder).glob("*.pth")]
    running = {p.name for p in files if re.search(r"^import[ \t]", p.read_text(), re.MULTILINE)}
    assert {name for name in running if not name.startswith("__editable__.lightlake-")} <= known


def terms(name):
    """What a distribution says of its licence."""
    about = metadata.metadata(name)
    classifiers = [c for c in about.get_all("Classifier") or [] if c.startswith("License")]
    text = about.get("License-Expression") or " ".join(classifiers) or (about.get("License") or "")
    return " ".join(text.split())[:2000]


def test_every_package_has_terms_and_copyleft_only_where_we_know_of_it():
    """Number 110."""
    names = pinned()
    assert len(names) > 100
    assert [n for n in names if not terms(n)] == []
    assert {n for n in names if COPYLEFT.search(terms(n))} <= WEAK


@pytest.mark.parametrize("text", ["GPL-3.0-only", "GNU Affero General Public License v3", "MPL-2.0", "SSPL-1.0"])
def test_terms_that_bind_others_are_recognised(text):
    assert COPYLEFT.search(text)
