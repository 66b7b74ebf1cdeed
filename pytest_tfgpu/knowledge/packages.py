"""Texts about Python packages that don't fit one another, or aren't to be had in that version."""

from __future__ import annotations

BROKEN = (
    "Descriptors cannot {|not }be created directly",
    "compiled using NumPy 1.x cannot be run in NumPy 2",
    "compiled against {API|ABI} version {w} but this version of numpy is",
    "numpy{w} size changed, may indicate binary incompatibility",
    "numpy.core.multiarray failed to import",
    "numpy.core.umath failed to import",
    "numpy.core._multiarray_umath failed to import",
    "_ARRAY_API not found",
    "__array__() takes 1 positional argument but 2 were given",
    "Unable to convert function return value to a Python type! The signature was () -> handle",
    "Couldn't build proto file into descriptor pool",
    "module 'numpy' has no attribute",
    "`np.{w}` was {a deprecated alias|removed in the NumPy 2.0 release}",
    "Your currently installed version of Keras is Keras 3",
    "Keras requires TensorFlow {#} or higher",
    "_pb2.py file, your generated code is out of date",
    "Detected incompatible Protobuf Gencode/Runtime versions",
    "'MessageFactory' object has no attribute",
    "'NoneType' object has no attribute 'message_types_by_name'",
    "unexpected keyword argument '{serialized_options|serialized_start|create_key}'",
    "module 'google.protobuf{w}' has no attribute",
    "GLIBCXX_{w}' not found",
    "CXXABI_{w}' not found",
    "GLIBC_{w}' not found",
    "google/protobuf/pyext",
    "of the Protocol Buffer runtime library",
    "Another metric with the same name already exists",
    "is not {supported|available} in Keras 3",
    "Keras 3 only supports V3 `.keras` files",
    "When using `tf.keras`, to continue using",
    "raised unreported exception",
    "requires tf_keras",
    "Please install the backwards-compatible tf-keras package",
)
"""What Python, NumPy, protobuf and Keras say where one was built for another version of the other."""

MISSING = (
    "No module named '{keras.|tensorflow.|numpy.|tensorflow_estimator|tf_keras|_pywrap_tensorflow}{w}",
    "No module named '{tensorflow_core|tensorflow_addons|keras_applications|keras_preprocessing}",
    "No module named '{google.protobuf|h5py.|wrapt.|flatbuffers.|tensorboard.|typing_extensions.}{w}",
    "No module named {keras.|tensorflow.|tensorflow_core}{w}",
)
"""Modules that exist in other versions only."""

GONE_FROM_PYTHON = ("No module named '{distutils|imp|pipes|cgi|asynchat}'",)
"""Modules that newer versions of Python lack and old TensorFlow wants."""

NAMES = (
    "cannot import name '{w}' from {|partially initialized module }'{tensorflow|keras|numpy|google|tf_keras}{w}",
    "cannot import name '{w}' from '{tensorflow|keras|numpy|tf_keras}'",
    "cannot import name {w} from {tensorflow|keras|numpy|google.protobuf}{w}",
)

IMPORTED_FROM = ("from {tensorflow|keras|tf_keras}{w} import", "from {tensorflow|keras|tf_keras} import")
"""The line that failed, where Python (to 3.6) doesn't say of which module a name is."""

NAMES_ELSEWHERE = (
    "cannot import name '{w}' from '{typing_extensions|wrapt|flatbuffers|h5py|ml_dtypes|google.protobuf|scipy}",
    "module '{ml_dtypes|wrapt|h5py|flatbuffers|tensorboard|jaxlib|scipy}{w}' has no attribute",
    "module '{ml_dtypes|wrapt|h5py|flatbuffers|tensorboard|jaxlib|scipy}' has no attribute",
)

INSTALL = (
    "satisfies the requirement {tensorflow|keras|tf-nightly}",
    "matching distribution found for {tensorflow|keras|tf-nightly|nvidia-}",
    "tensorflow{w} is not a supported wheel on this platform",
    "{tensorflow|keras}{w} {#}{} has requirement",
    "{tensorflow|keras}{w} {#}{} requires {} which is {incompatible|not installed}",
    "{tensorflow|keras} {#}{} {has requirement|requires} {} {but you'll have|but you have|which is not installed}",
    'package has been removed!{~}install "tensorflow"',
)
"""What pip says."""

RESOLVER = (
    "ResolutionImpossible",
    "UnsatisfiableError",
    "PackagesNotFoundError",
    "LibMambaUnsatisfiableError",
    "ResolvePackageNotFound",
    "SolverProblemError",
    "dependency resolver does not currently take into account",
    "No solution found when resolving dependencies",
    "conflicting dependencies",
)
"""What the resolvers of pip, conda, Poetry and uv say."""

OTHER_KERAS = (
    "Could not interpret optimizer identifier: <",
    "Argument(s) not recognized:",
    "object has no attribute '{_keras_history|_keras_shape|_get_distribution_strategy|_in_multi_worker_mode}'",
    "object has no attribute '{_chief_worker_only|_is_graph_network|_set_device_from_string|get_updates}'",
    "'{InputLayer|Dense|Conv2D|Model|Sequential}' object has no attribute '{outbound_nodes|inbound_nodes}'",
)
"""Two Kerases in one program."""
