"""A saved model that this Keras can't read."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="model-file-unreadable",
    category="not-gpu",
    summary="A saved model can't be read: another version of Keras wrote it, or it is no whole model.",
    signatures=(
        Signature(
            "root",
            (
                "Unknown layer: {|'|\"}{Functional|TFOpLambda|SlicingOpLambda|InputLayer|Sequential}",
                "Could not deserialize class",
                "Could not deserialize 'keras",
                "could not be deserialized properly",
                "Could not locate class '{Functional|Sequential}'",
                "No model config found in the file",
                "open file (file signature not found)",
                "but the saved weights have {#} elements",
                "load a weight file containing {#} layers into a model with",
                "unexpected keyword argument 'quantization_config'",
            ),
            where="message",
            weight=0.8,
        ),
        Signature(
            "root",
            ("Unrecognized keyword arguments", "got an unexpected keyword argument"),
            also=("deserializing", "deserialized"),
            weight=0.8,
        ),
    ),
    help=(
        Help("Load the model with the version of Keras that wrote it, or save it again with this one."),
        Help("Check that the file holds a model and not its weights alone.", sure=False),
    ),
    examples=(
        Example(
            source="load_model() of a file that save_weights() wrote, Keras 3.15 on TensorFlow 2.21.0",
            exception="ValueError",
            message="No model config found in the file at /tmp/w.weights.h5.",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/keras-team/keras/issues/11408",
            exception="AttributeError",
            message="'InputLayer' object has no attribute 'outbound_nodes'",
            cause="python-package-conflict",
        ),
    ),
    meaning="Keras writes down its layers by class and arguments. A class or an argument that this version doesn't "
    "have, or a file that isn't a model at all, ends the loading. The GPU has no part in it, even if the log is full "
    "of its lines.",
    appearance='"Unknown layer: Functional" (2.2 and older, for files of 2.3 and newer), "Could not locate class '
    '\'Functional\'" and "Unrecognized keyword arguments" (a file of Keras 3 in Keras 2, or the other way round), '
    '"No model config found in the file" (a file of weights).',
    distinction="Installed packages that don't fit each other fail without any file: python-package-conflict. A file "
    "that isn't there is file-not-found. A class of your own that is unknown belongs into custom_objects.",
    confirmation="The file names its writer: keras_version among the attributes of an .h5 file, metadata.json in a "
    ".keras file.",
    remedy="Install that version to load the model, save it in the .keras format, and keep the version with the file.",
    references=("https://keras.io/guides/serialization_and_saving/",),
)
