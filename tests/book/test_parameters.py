"""Typed parameters: values are parsed by type, everything else stops with a clear error."""

from typing import get_args

import pytest

from book.au_verification.chapter import AuVerificationParameters
from book.derl.chapter import DerlParameters
from book.micro_expressions.chapter import MicroExpressionsParameters
from book.parameters import face_sets
from book.populations import find_population
from book.training.chapter import TrainingParameters
from face_sets.request import CLIP_FRAMES, FaceRequest
from fer_lib.look.deconvolution import Method
from fer_lib.names import FaceSource
from fer_lib.nets.build import build_network
from fer_lib.train.recipe import TrainingRecipe
from ferbook import paths
from ferbook.book import chapters, suite
from ferbook.errors import ParameterError
from ferbook.provenance import reproduce_command
from ferbook.request import Request, parameter_values, read_overrides, stored_request
from ferbook.run import requests_by_run, write_record
from ferbook.store import open_run
from synthetic_faces.errors import SettingError
from synthetic_faces.versions import versioned

PROFILES = suite().profiles


def resolve(chapter, profile="laptop", overrides=None):
    return chapters()[chapter].resolve(profile, overrides)


def training(**overrides):
    return resolve("training", "laptop", overrides)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [("5", "epochs", 5), ("1e-2", "lr", 0.01), ("yes", "bias", True), ("constant", "schedule", "constant")],
)
def test_text_is_parsed_by_the_field_type(text, field, value):
    parsed = getattr(training(**{field: text}), field)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("epochs", "0", "≥ 1"),
        ("epochs", "2.5", "int"),
        ("epochs", "many", "int"),
        ("epochs", True, "int"),
        ("epochs", 3.0, "int"),
        ("lr", "nan", "float"),
        ("lr", "-1", "> 0"),
        ("lr", None, "float"),
        ("bias", "perhaps", "true | false"),
        ("bias", 1, "true | false"),
        ("schedule", "linear", "constant | onecycle | cosine"),
        ("augment", True, "none | light | standard | published"),
        ("size", "50", "a multiple of 8"),
        ("faces", "ImageNet", "lab | wild | game | micro | heads | fer2013"),
    ],
)
def test_an_impossible_value_names_field_value_and_range(field, value, told):
    with pytest.raises(ParameterError) as caught:
        training(**{field: value})
    assert all(part in str(caught.value) for part in (f"training.{field}", repr(value), told))


def test_faces_may_be_asked_for_in_the_version_that_is_made_here():
    assert training(faces=versioned("lab")).faces == "lab"
    for wrong in ("lab/1", "lab/77"):
        told = f"{wrong} is not made here: this checkout makes {versioned('lab')}"
        with pytest.raises(SettingError, match=told):
            training(faces=wrong)


def test_a_sweep_may_list_faces_in_the_versions_that_are_made_here():
    lab, wild = map(versioned, ("lab", "wild"))
    closure = [chapters()["training"]]
    for text in (f"{lab},{wild}", f"{lab},wild", f"lab,{wild}"):
        assert parameter_values("faces", text, closure) == ["lab", "wild"]
    for text in ("lab/77", "lab/77,wild", "wild,lab/77"):
        with pytest.raises(SettingError, match=r"^lab/77 is not made here"):
            parameter_values("faces", text, closure)


def test_an_unknown_name_or_profile_is_told_with_the_nearest_one():
    with pytest.raises(ParameterError, match=r"no parameter 'epohcs' \(did you mean 'epochs'\?\)"):
        training(epohcs="5")
    with pytest.raises(ParameterError, match="did you mean 'laptop'"):
        resolve("training", "labtop")


def test_overrides_win_over_the_profile_and_the_profile_over_the_defaults():
    assert resolve("training", "smoke").epochs != TrainingParameters().epochs
    assert resolve("training", "smoke", {"epochs": "9"}).epochs == 9


def test_a_profile_can_differ_on_a_real_face_set():
    assert training(faces="fer2013").epochs == 2 and training(faces="wild").epochs == 5
    assert resolve("derl", "paper", {"faces": "fer2013"}).size == 48, "what every chapter takes there"
    assert training(faces="fer2013", epochs="7").epochs == 7


@pytest.mark.parametrize("chapter", chapters())
def test_every_profile_resolves_for_every_face_set(chapter):
    for profile in PROFILES:
        for faces in ("lab", "fer2013"):
            assert resolve(chapter, profile, {"faces": faces}).faces == faces


def test_a_recipe_is_declared_once_and_a_chapter_that_trains_is_one():
    models = [each.parameters for each in chapters().values() if issubclass(each.parameters, TrainingRecipe)]
    again = [{*TrainingRecipe.model_fields} & {*vars(kind)["__annotations__"]} for kind in models]
    optimisation = {"epochs", "lr", "optimiser", "warmup", "weight_decay"}
    assert again == [optimisation, {"epochs", "lr", "loss"}, {"epochs", "lr"}]
    for model in models:
        for name in {*TrainingRecipe.model_fields} & {*model.model_fields}:
            inherited, own = TrainingRecipe.model_fields[name], model.model_fields[name]
            assert own.metadata == inherited.metadata, f"{model.__name__}.{name}: one range for all chapters"
    assert [model().epochs for model in models] == [8, 4, 8] and TrainingRecipe().epochs == 60
    own = {"epochs": 8, "lr": 1e-3, "optimiser": "adamw", "warmup": 0.15, "weight_decay": 0.05}
    assert models[0](gain=0.0).recipe == TrainingRecipe(**own)


def test_the_speedrun_is_a_request_that_can_be_trained():
    request = Request("laptop", read_overrides(paths.root() / "params" / "fer2013_speedrun.yaml"))
    request.check()
    chosen = request.of_chapter(chapters()["training"])
    assert (chosen.faces, chosen.network, chosen.optimiser) == ("fer2013", "vgg", "muon")
    recorded = find_population("muon_full_size")
    assert (chosen.recipe, chosen.size) == (recorded.recipe, recorded.faces.size)
    network = build_network(chosen.network, 7, chosen.size, **chosen.network_options)
    assert network.arguments == build_network("vgg", 7, 40, **recorded.options).arguments
    assert network.dropout.p == chosen.dropout


def test_a_run_that_grows_takes_a_chapters_own_defaults_or_what_was_asked_of_all():
    own = {"training": training(size="40", seed="3").model_dump()}
    for every, faces in (({}, "micro"), ({"faces": "mine"}, "mine")):
        again = stored_request({"profile": "smoke", "every": every, "parameters": own})
        again.check()
        assert again.of_chapter(chapters()["training"]).size == 40
        grown = again.of_chapter(chapters()["micro_expressions"])
        assert (grown.faces, grown.seed) == (faces, 0)


def test_only_networks_of_doubling_stages_are_told_of_a_width():
    assert "widths" not in training(width="8").network_options | training(network="vgg").network_options
    for network, widths in {"vgg": (8, 16, 32, 64), "residual": (8, 16, 32)}.items():
        options = training(network=network, width="8").network_options
        assert options["widths"] == widths
        assert build_network(network, 7, 48, **options).arguments["widths"] == list(widths)
    with pytest.raises(ParameterError, match="width"):
        training(width="6")


def test_only_the_zero_bias_network_is_told_of_biases_and_gain():
    assert training(network="residual", dropout="0.2").network_options == {"dropout": 0.2}
    told = training(gain="0", bias="true").network_options
    assert told == {"dropout": 0.5, "bias": True, "gain": None}, "gain 0 is drawn"


def test_a_list_of_names_is_checked_and_its_names_are_told():
    def structures(text):
        return resolve("structure_and_loss", "laptop", {"structures": text}).structures

    assert structures("residual, vgg") == "residual, vgg"
    for wrong in ("residual,resnet", "vgg,vgg", "", "vgg,"):
        with pytest.raises(ParameterError, match=r"one or more of zero_bias, breuer.*separated by commas"):
            structures(wrong)


@pytest.mark.parametrize(
    ("profile", "chapter", "idle"),
    [
        ("smoke", "training", {"epochs": "3"}),
        ("smoke", "training", {"training.network": "vgg"}),
        ("reference", "training", {"training.folds": "0"}),
        ("reference", "transfer", {"most": "7"}),
    ],
)
def test_what_says_how_a_network_is_trained_is_refused_where_kept_ones_are_asked(profile, chapter, idle):
    asked = {"seed": "3"} | ({"population": "emotions"} if profile == "smoke" else {})
    told = rf"^{chapter}\.{next(iter(idle)).rpartition('.')[2]} acts on nothing: population 'emotions"
    with pytest.raises(ParameterError, match=told):
        requests_by_run(Request(profile, asked | idle), [chapter])
    requests_by_run(Request(profile, asked), [chapter])
    requests_by_run(Request(profile, asked | idle | {f"{chapter}.population": ""}), [chapter])


def test_a_value_of_every_chapter_need_act_in_one_and_stored_ones_in_none(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_RUNS", str(tmp_path))
    asked = Request("reference", {"epochs": "3"})
    assert requests_by_run(asked, ["training", "structure_and_loss"]) == {"reference-epochs-3": asked}
    kept = open_run("kept")
    kept.folder.mkdir()
    write_record(kept, asked, {name: asked.of_chapter(chapter) for name, chapter in chapters().items()})
    stored = requests_by_run(None, ["training"], "kept")["kept"]
    assert stored.of_chapter(chapters()["training"]).epochs == 3
    assert "epochs" not in reproduce_command(kept, "training")
    assert "epochs=3" in reproduce_command(kept, "structure_and_loss")


def test_votes_are_learned_only_where_there_are_votes():
    for faces, there in (("game", True), ("ferplus", True), ("wild", False), ("fer2013", False)):
        values = resolve("structure_and_loss", "paper", {"faces": faces})
        assert ("votes" in values.losses.split(",")) == there


def test_every_way_back_to_pixels_can_be_asked_for():
    for method in get_args(Method):
        assert resolve("deconvolution", "laptop", {"method": method}).method == method
    with pytest.raises(ParameterError, match=r"deconv \| guided \| gradient"):
        resolve("deconvolution", "laptop", {"method": "saliency"})


def test_a_name_that_only_the_network_can_judge_is_any_text():
    assert resolve("deconvolution", "laptop", {"layer": "relu2"}).layer == "relu2"
    rows = {row["parameter"]: row for row in chapters()["deconvolution"].parameter_rows()}
    assert rows["layer"]["range"] == "any text" and all(row["range"] for row in rows.values())


@pytest.mark.parametrize(("faces", "domain"), [("wild", "wild"), ("micro", "micro"), ("fer2013", "lab")])
def test_filters_are_judged_on_rendered_people_of_another_seed(faces, domain):
    given = AuVerificationParameters(faces=faces, face_seed=4, held_out_people=70)
    own, held_out_people = given.face_requests
    assert own == given.face_request and own.name == faces and given.domain == domain
    assert held_out_people == FaceRequest(domain, 70, 48, 5)


def test_populations_beside_are_read_with_the_chapter_s_own():
    own, beside = "photographs_zero_bias", ("units_free", "photographs_residual")
    given = AuVerificationParameters(population=own, beside=", ".join(beside))
    assert given.populations == (own, *beside, "emotions", "units", "identity")
    assert AuVerificationParameters(roles="").populations == () == AuVerificationParameters().others


def test_populations_of_roles_are_read_where_they_can_be_asked():
    assert AuVerificationParameters().populations == ("emotions", "units", "identity")
    for other in ({"size": 32}, {"face_seed": 9}, {"faces": "wild"}, {"faces": "ckplus"}):
        lacking = AuVerificationParameters(**other)
        assert lacking.populations == () and lacking.skip_reason.startswith("degrees of filters: ")


def transfer(**overrides):
    return resolve("transfer", "laptop", overrides)


def test_face_sets_beside_are_read_with_their_number_of_people():
    beside = transfer(beside="wild:500, fer2013,game:24").beside
    assert face_sets(beside) == {"wild": 500, "fer2013": 0, "game": 24}
    for wrong in ("", "wild:", "wild:x", "wild:-1", "wild:99999", "wild,wild:3", "imagenet", "fer2013:5"):
        with pytest.raises(ParameterError, match=r"transfer\.beside.*number of people behind a colon"):
            transfer(beside=wrong)


def test_a_face_set_is_not_set_beside_itself():
    for of_whom in (lambda: transfer(beside="lab"), lambda: transfer(faces="game", beside="lab,game:24")):
        with pytest.raises(ParameterError, match="which is the chapter's own face set"):
            of_whom()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("faces", get_args(FaceSource))
def test_on_every_face_set_and_profile_transfer_has_others_beside_it(faces, profile):
    chosen = resolve("transfer", profile, {"faces": faces})
    names = [each.name for each in chosen.face_requests]
    assert names[0] == faces and len(names) > 1 and len(set(names)) == len(names)
    assert {each.size for each in chosen.face_requests} == {chosen.size}


def test_clips_come_with_faces_that_a_network_may_have_learned_from_and_others_with_clips():
    own, beside = MicroExpressionsParameters(clip_frames=8).face_requests
    assert (own.name, own.clip_frames, beside.name) == ("micro", 8, "lab")
    assert beside.clip_frames == CLIP_FRAMES, "a set without clips takes none"
    together, lab = MicroExpressionsParameters(timing="together").face_requests
    assert together.timing == "together" and not own.timing and not lab.timing
    given, clips = MicroExpressionsParameters(faces="fer2013").face_requests
    assert (given.name, clips.name, clips.clip_frames) == ("fer2013", "micro", 16)
    assert clips.size == given.size == 48


def test_a_generator_learns_from_other_people_than_it_is_tested_on():
    assert [each.name for each in DerlParameters().face_requests] == ["lab"]
    real = DerlParameters(faces="ckplus", pretrain="bu4dfe,bp4d,wild")
    assert real.real_pretraining == ("bu4dfe", "bp4d")
    assert [each.name for each in real.face_requests] == ["ckplus", "lab", "bu4dfe", "bp4d"]
    assert not DerlParameters(faces="wild", pretrain="wild").real_pretraining, "rendered people are others"
    with pytest.raises(ParameterError, match="pretrain = 'lab,ckplus'"):
        DerlParameters(faces="ckplus", pretrain="lab,ckplus")
    with pytest.raises(ParameterError, match=r"derl\.pretrain = 'lab,mars'"):
        resolve("derl", "laptop", {"pretrain": "lab,mars"})
    with pytest.raises(ParameterError, match=r"derl\.size = '40'.*a multiple of 16"):
        resolve("derl", "laptop", {"size": "40"})


def test_parameter_rows_tell_every_field_with_its_default_per_profile():
    rows = {row["parameter"]: row for row in chapters()["faces"].parameter_rows()}
    assert list(rows) == list(chapters()["faces"].parameters.model_fields)
    assert rows["family_epochs"]["laptop"] == 20 and rows["family_epochs"]["smoke"] == 1
    assert rows["family_epochs"]["range"] == "≥ 1, ≤ 5000"
    assert all(row["meaning"] and row["range"] for row in rows.values())


def test_the_reference_is_asked_of_a_second_head_model_or_not_made(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    key = resolve("au_verification", "reference").data_key()
    assert [name for name, version in key.items() if version == "absent"] == ["heads 48 48 20"]
