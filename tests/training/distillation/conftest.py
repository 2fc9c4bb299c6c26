from pathlib import Path

import pytest

from tests.training.distillation.given import write_given


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `write_given`."""
    return write_given(tmp_path_factory.mktemp("given"))
