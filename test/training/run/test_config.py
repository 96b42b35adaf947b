from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import ConfigError
from training.run.config import Config, changed_keys, load_config


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "float.yaml"
    path.write_text("name: float\ndata:\n  index: unified\noptimizer: {halve_every: 2}\n")
    return path


def test_what_is_left_out_is_as_published(tmp_path: Path) -> None:
    path = tmp_path / "least.yaml"
    path.write_text("name: least\ndata: {index: unified}")
    config = load_config(path)
    assert (config.data.places, config.data.images, config.data.size) == (120, 4, (224, 224))
    assert config.data.randaugment == 3
    assert (config.trainer.epochs, config.trainer.patience) == (25, 12)
    optimizer = config.optimizer
    assert (optimizer.learning_rate, optimizer.weight_decay, optimizer.halve_every) == (4e-4, 0, 3)
    assert (config.loss.hashing, config.loss.weight, config.loss.pair_fraction) == (
        "selavpr++",
        0.1,
        1.0,
    )
    assert config.folder == Path("runs/least")


def test_overrides_are_yaml_and_the_last_one_wins(file: Path) -> None:
    config = load_config(
        file,
        [
            "optimizer.learning_rate=4e-4",
            "data.size=[28, 42]",
            "trainer.max_steps=null",
            "seed=1",
            "seed=2",
            "data.roots.msls=/data",
            "validation={database: a, queries: b}",
        ],
    )
    assert config.optimizer.learning_rate == 4e-4
    assert config.optimizer.halve_every == 2  # the rest of a section stays
    assert config.data.size == (28, 42)
    assert config.seed == 2
    assert config.data.roots == {"msls": Path("/data")}
    assert config.validation is not None
    assert config.validation.queries == Path("b")


def test_the_full_configuration_reads_back_as_it_was(file: Path, tmp_path: Path) -> None:
    config = load_config(file, ["validation={set: msls-val, root: ~/msls}"])
    full = tmp_path / "full.yaml"
    full.write_text(config.to_yaml())
    assert load_config(full) == config
    assert "patience: 12" in full.read_text()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "optimizer.learning_rat=1",
            "unknown key optimizer.learning_rat: did you mean optimizer.learning_rate?",
        ),
        ("place=3", "unknown key place: did you mean data.places?"),
        ("zzz=3", "unknown key zzz"),
        (
            "optimizer.muon=2",
            "optimizer: muon goes with AdamW: make schedule cosine, or leave muon out",
        ),
        ("data.places=many", "data.places is 'many', but must be a whole number"),
        ("data.places=1", "data.places is 1, but must be greater than or equal to 2"),
        ("data.workers=true", "data.workers is True, but must be a whole number"),
        ("data.size=[30, 28]", "data.size.0: 30 is not a multiple of 14"),
        ("data.size=224", "data.size is 224, but must be a list [height, width]"),
        ("data.index=", "data.index is null, but must be a path"),
        ("data=null", "data is null, but must be a section with keys of its own"),
        ("loss.weight=.nan", "loss.weight is nan, but must be a finite number"),
        ("loss.weight='0.1'", "loss.weight is '0.1', but must be a number"),
        ("model.preset=bas", "model: unknown preset 'bas': choose one of base, large, small, tiny"),
        ("model.head=gme", "model.head is 'gme', but must be 'gem', 'salad' or 'boq'"),
        ("name=../x", "name is '../x', but must be a name of letters, digits, '.', '_' and '-'"),
        ("validation.set=msls-val", "validation: set and root belong together: give both"),
        ("validation.database=a", "validation: database and queries belong together: give both"),
        ("validation={}", "validation: give either set and root, or database and queries"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(file: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(file, [override])
    assert str(error.value) == f"the command line: {message}"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "'seed' on the command line: write key=value, such as seed=1"),
        ("name.x=1", "name.x on the command line: name is a value without keys of its own"),
        ("seed=[1", "seed on the command line, line 1: no valid YAML: expected ',' or ']'"),
    ],
)
def test_an_override_that_is_none_is_named(file: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(file, [override])
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nepoch: 3\n", "data is missing: give it in the file, or as data=..."),
        ("name: a\ndata: {index: b, plcaes: 3}", "unknown key data.plcaes: did you mean data.pla"),
        ("name: a\nname: b", "no valid YAML: the key name comes twice"),
        ("1: a", "no valid YAML: the key 1 is no word"),
        ("[1]", "its outermost level must be keys and values"),
        ("", "its outermost level must be keys and values"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_the_file(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(f"configuration {path}")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")


def test_only_what_changes_the_result_counts_as_changed(file: Path) -> None:
    def changed(*overrides: str) -> list[str]:
        return changed_keys(load_config(file), load_config(file, overrides))

    assert changed("data.index=moved", "data.workers=3", "trainer.epochs=30", "output=b") == []
    assert changed("trainer.devices=auto", "trainer.checkpoint_every=7", "data.roots.a=b") == []
    assert changed("seed=1", "data.places=60", "trainer.precision=32", "model.head=boq") == [
        "seed",
        "model.head",
        "data.places",
        "trainer.precision",
    ]
    assert changed("validation={set: msls-val, root: a}") == ["validation"]


def test_a_cosine_has_as_many_epochs_as_it_was_planned_with(file: Path) -> None:
    cosine = load_config(file, ["optimizer.schedule=cosine"])
    more = load_config(file, ["optimizer.schedule=cosine", "trainer.epochs=30"])
    assert changed_keys(cosine, more) == ["trainer.epochs"]
    fewer_steps = load_config(file, ["optimizer.schedule=cosine", "trainer.max_steps=3"])
    assert changed_keys(cosine, fewer_steps) == []


def test_another_teachers_file_counts_by_what_is_in_it(file: Path) -> None:
    def taught(*overrides: str) -> Config:
        return load_config(file, ["distillation.teacher=a.onnx", "distillation.map=m", *overrides])

    assert changed_keys(taught(), taught("distillation.teacher=b/a.onnx")) == []
    assert changed_keys(taught(), taught("distillation.keep=0.5")) == ["distillation.keep"]
    assert changed_keys(load_config(file), taught()) == ["distillation"]


def test_the_configurations_of_the_tiny_network_build_on_one_another(project: Path) -> None:
    configs = {
        stage: load_config(project / "training" / "configs" / f"tiny_{stage}.yaml")
        for stage in ("backbone", "tuned", "float", "hash")
    }
    for stage in ("backbone", "tuned"):
        config = configs[stage]
        assert (config.name, config.model.preset) == (f"tiny_{stage}", "tiny")
        assert config.model.strategy == "full"
        assert config.distillation is not None
    assert configs["tuned"].model.backbone == f"{configs['backbone'].folder}/best.safetensors"
    assert configs["float"].model.init == f"{configs['tuned'].folder}/best.safetensors"
    assert configs["hash"].model.init == f"{configs['float'].folder}/best.safetensors"


@pytest.mark.parametrize("preset", ["base", "large", "small", "tiny"])
@pytest.mark.parametrize("branches", ["float", "hash"])
def test_the_configurations_that_come_with_it_are_valid(
    project: Path, preset: str, branches: str
) -> None:
    config = load_config(project / "training" / "configs" / f"{preset}_{branches}.yaml")
    assert config.name == f"{preset}_{branches}"
    assert (config.model.preset, config.model.branches) == (preset, branches)
    if branches == "hash":
        assert config.model.init == f"runs/{preset}_float/best.safetensors"
    if preset != "tiny":
        published = Config(name="x", data=config.data.model_copy())
        assert (config.optimizer, config.trainer) == (published.optimizer, published.trainer)
        assert config.data.places == 120
