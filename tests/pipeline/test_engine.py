from pipeline.engine import Engine
from pipeline.settings import Settings
from tests.pipeline.test_settings import NAMES


def test_settings_are_read_when_first_asked_for_and_once() -> None:
    reads = []

    def read() -> Settings:
        reads.append(1)
        return Settings.from_mapping(NAMES)

    engine = Engine(str, read)
    assert reads == []
    assert engine.settings is engine.settings
    assert reads == [1]
