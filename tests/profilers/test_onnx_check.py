from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from profilers.errors import InputError
from profilers.onnx_check import check_onnx
from tests.profilers.onnx_files import model, saved


def test_a_good_file_tells_its_inputs_nodes_params_and_opset(tmp_path):
    weight = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    path = saved(
        tmp_path,
        model([helper.make_node("Conv", ["x", "w"], ["y"])], [1, 3, 8, 8], weights=[weight]),
    )
    found = check_onnx(path)
    assert found.shapes == {"x": [1, 3, 8, 8]}
    assert (found.nodes, found.params, found.opset, found.dtype) == (1, 12, 17, "float32")


def test_an_open_batch_takes_the_batch_asked_for(tmp_path):
    path = saved(tmp_path, model([helper.make_node("Relu", ["x"], ["y"])], ["batch", 3, 8, 8]))
    assert check_onnx(path).shapes == {"x": [1, 3, 8, 8]}
    assert check_onnx(path, batch=5).shapes == {"x": [5, 3, 8, 8]}
    with pytest.raises(InputError, match=r"dynamic shape \(batch, 3, 8, 8\)"):
        check_onnx(path, batch=None)


def test_a_batch_that_the_file_does_not_allow_is_refused(tmp_path):
    path = saved(tmp_path, model([helper.make_node("Relu", ["x"], ["y"])], [1, 3, 8, 8]))
    with pytest.raises(InputError, match="fixed batch, so a batch of 4 is not possible"):
        check_onnx(path, batch=4)


def test_an_input_without_a_shape_must_be_given_one(tmp_path):
    made = model([helper.make_node("Relu", ["x"], ["y"])], [1, 3])
    made.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(InputError):
        check_onnx(saved(tmp_path, made))


def test_an_input_without_a_shape_takes_the_sizes_given(tmp_path):
    made = model([helper.make_node("Relu", ["x"], ["y"])], [1, 3])
    made.graph.input[0].type.tensor_type.ClearField("shape")
    path = saved(tmp_path, made)
    assert check_onnx(path, {"x": [2, 5]}).shapes == {"x": [2, 5]}
    with pytest.raises(InputError, match="input 'x' has no shape: give its sizes with --shape"):
        check_onnx(path)


@pytest.mark.parametrize("missing", ["shape", "type"])
def test_an_output_needs_no_shape(tmp_path, missing):
    weight = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    made = model([helper.make_node("Conv", ["x", "w"], ["y"])], [1, 3, 8, 8], weights=[weight])
    if missing == "shape":
        made.graph.output[0].type.tensor_type.ClearField("shape")
    else:
        made.graph.output[0].ClearField("type")
    path = saved(tmp_path, made)
    assert onnxruntime.InferenceSession(path).get_outputs()[0].name == "y"
    assert check_onnx(path).params == 12


def test_an_output_needs_no_shape_where_the_data_lies_beside_the_file(tmp_path):
    made = external("w.bin")
    made.graph.output[0].type.tensor_type.ClearField("shape")
    (tmp_path / "w.bin").write_bytes(np.float32(2.0).tobytes())
    assert check_onnx(saved(tmp_path, made)).params == 1


def test_data_of_a_function_outside_the_models_folder_is_refused(tmp_path):
    outside = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL
    )
    outside.external_data.add(key="location", value="../secret.bin")
    body = [
        helper.make_node("Constant", [], ["w"], value=outside),
        helper.make_node("Add", ["a", "w"], ["b"]),
    ]
    made = model([helper.make_node("Own", ["x"], ["y"], domain="own")], [1])
    made.functions.append(
        helper.make_function("own", "Own", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    )
    made.opset_import.append(helper.make_opsetid("own", 1))
    with pytest.raises(InputError, match="keeps its data outside the model's folder"):
        check_onnx(saved(tmp_path, made))


def test_other_open_sizes_must_be_given(tmp_path):
    path = saved(tmp_path, model([helper.make_node("Relu", ["x"], ["y"])], ["n", 3, "h", "w"]))
    with pytest.raises(
        InputError, match=r"dynamic shape \(n, 3, h, w\): give its sizes, for example --shape x="
    ):
        check_onnx(path)
    assert check_onnx(path, {"x": [2, 3, 9, 9]}).shapes == {"x": [2, 3, 9, 9]}


@pytest.mark.parametrize("sizes", [[2, 4, 9, 9], [2, 3, 9], [2, 3, 0, 9]])
def test_sizes_that_do_not_fit_the_file_are_refused(tmp_path, sizes):
    path = saved(tmp_path, model([helper.make_node("Relu", ["x"], ["y"])], ["n", 3, "h", "w"]))
    with pytest.raises(InputError, match=r"which \(.*\) is not"):
        check_onnx(path, {"x": sizes})


def test_an_input_that_is_not_there_is_named_with_the_nearest(tmp_path):
    path = saved(tmp_path, model([helper.make_node("Relu", ["x"], ["y"])], [1, 3]))
    with pytest.raises(InputError, match="no input 'X1'; did you mean 'x'"):
        check_onnx(path, {"X1": [1, 3]})


def test_an_unknown_operator_is_named_with_the_nearest_one(tmp_path):
    path = saved(tmp_path, model([helper.make_node("Sigmod", ["x"], ["y"])], [1, 3]))
    with pytest.raises(InputError, match="unknown operator 'Sigmod'; did you mean 'Sigmoid"):
        check_onnx(path)


def test_an_operator_of_an_unknown_domain_is_refused(tmp_path):
    made = model([helper.make_node("Magic", ["x"], ["y"], domain="acme")], [1, 3])
    made.opset_import.append(helper.make_opsetid("acme", 1))
    with pytest.raises(InputError, match="unknown operator 'Magic' of the domain 'acme'"):
        check_onnx(saved(tmp_path, made))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "a/../../x", ""])
def test_data_outside_the_models_folder_is_refused(tmp_path, location):
    made = external(location)
    with pytest.raises(InputError, match="keeps its data outside the model's folder"):
        check_onnx(saved(tmp_path, made))


def test_data_behind_a_link_that_leaves_the_folder_is_refused(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.bin").write_bytes(b"1234")
    (tmp_path / "inside" / "w.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(InputError, match="outside the model's folder"):
        check_onnx(saved(tmp_path / "inside", external("w.bin")))


def test_data_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"keeps its data in 'w.bin', which is not there"):
        check_onnx(saved(tmp_path, external("w.bin")))


def external(location: str) -> onnx.ModelProto:
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [1], weights=[weight])


def test_a_corrupt_or_absent_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        check_onnx(tmp_path / "none.onnx")
    whole = model([helper.make_node("Relu", ["x"], ["y"])], [1, 3]).SerializeToString()
    for name, content in {
        "empty": b"",
        "text": b"not a model at all",
        "torn": whole[: len(whole) // 2],
    }.items():
        (tmp_path / f"{name}.onnx").write_bytes(content)
        with pytest.raises(InputError) as caught:
            check_onnx(tmp_path / f"{name}.onnx")
        assert "\n" not in str(caught.value)


def test_a_graph_that_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a valid ONNX model"):
        check_onnx(saved(tmp_path, model([helper.make_node("Relu", ["nowhere"], ["y"])], [1, 3])))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
@given(st.data())
def test_any_damage_gives_a_model_or_our_own_error(tmp_path, data):
    content = bytearray(model([helper.make_node("Relu", ["x"], ["y"])], [1, 3]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "m.onnx").write_bytes(bytes(content))
    try:
        check_onnx(tmp_path / "m.onnx")
    except InputError as error:
        assert len(str(error).splitlines()) == 1
