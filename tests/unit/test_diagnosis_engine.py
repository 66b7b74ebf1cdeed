"""The engine: all causes weighed on all evidence, with the right confidence, numbers read, and silence kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pytest_tfgpu
from pytest_tfgpu.diagnosis import engine
from pytest_tfgpu.diagnosis.evidence import from_text
from pytest_tfgpu.knowledge.catalog import Catalog
from pytest_tfgpu.knowledge.schema import Cause, Help, Role, Signature
from pytest_tfgpu.model import Diagnosis, Facts, Gpu, GpuProcess

HANDLE = "E tensorflow/stream_executor/cuda/cuda_dnn.cc:328] Could not create cudnn handle: CUDNN_STATUS_INTERNAL_ERROR"
CONV = "Failed to get convolution algorithm. This is probably because cuDNN failed to initialize, so try looking to "
CONV += "see if a warning log message was printed above."
OOM = (
    "OOM when allocating tensor with shape[64,1024,1024] and type float on "
    "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc"
)
T4 = Gpu(0, "Tesla T4", compute_capability="7.5", memory_total_mib=15360)


def known(exception: str, message: str, *log: str, **facts: Any) -> Diagnosis:
    """Return the diagnosis of texts, which must be there."""
    diagnosis = engine.diagnose(from_text(exception, message, log), Facts(**facts))
    assert diagnosis is not None
    return diagnosis


def cause_of(message: str, *log: str, exception: str = "InternalError", **facts: Any) -> str:
    """Return the id of the first cause."""
    return known(exception, message, *log, **facts).cause


def made(*signatures: Signature, id: str = "made-up", **more: Any) -> Cause:
    """Return a cause for these tests."""
    return Cause(id=id, category="code", summary="Made up.", signatures=signatures, **more)


def score(message: str, *signatures: Signature) -> float:
    """Return what a cause of these signatures scores."""
    ranked = engine.rank(from_text("InternalError", message), None, Catalog([("test", made(*signatures))]))
    return ranked[0].score if ranked else 0.0


class TestWeighing:
    """How signatures add up."""

    def test_the_strongest_sign_counts_and_others_add_little(self) -> None:
        """Two signs are worth more than one and less than their sum."""
        one = score("alpha beta", Signature("root", ("alpha",), weight=0.6))
        both = score(
            "alpha beta",
            Signature("root", ("alpha",), weight=0.6),
            Signature("follows", ("beta",), weight=0.5),
        )
        assert one == 0.6
        assert one < both < 0.8

    def test_a_confirmation_alone_is_nothing(self) -> None:
        """A fact that would bear out a cause names none where no sign of it shows."""
        assert score("alpha", Signature("confirms", ("alpha",))) == 0.0

    def test_a_confirmation_raises_what_shows(self) -> None:
        """With a sign, the fact counts."""
        signs = (Signature("root", ("alpha",), weight=0.6), Signature("confirms", ("beta",), weight=0.5))
        assert score("alpha beta", *signs) == pytest.approx(0.8)

    def test_an_exclusion_takes_away(self) -> None:
        """What speaks against a cause lowers it; a full exclusion removes it."""
        root = Signature("root", ("alpha",), weight=0.8)
        assert score("alpha beta", root, Signature("excludes", ("beta",), weight=0.5)) == pytest.approx(0.4)
        assert score("alpha beta", root, Signature("excludes", ("beta",))) == 0.0

    def test_all_that_a_signature_states_must_hold(self) -> None:
        """Text, second text, class, status, operation and device are asked for together."""
        evidence = from_text("InternalError", 'alpha [[Node: n = MatMul[_device="/device:GPU:0"](x)]]')
        full = Signature(
            "root",
            ("alpha",),
            exceptions=("InternalError",),
            status=("INTERNAL",),
            ops=("Mat*",),
            device="GPU",
        )
        for wrong in (
            {"text": ("gamma",)},
            {"also": ("gamma",)},
            {"exceptions": ("UnknownError",)},
            {"status": ("UNKNOWN",)},
            {"ops": ("Conv2D",)},
            {"device": "CPU"},
            {"needs": ("host-allocator",)},
            {"needs": ("no-such-reading",)},
            {"unless": ("message",)},
            {"where": "log"},
        ):
            catalog = Catalog([("test", made(replace(full, **wrong)))])
            assert engine.rank(evidence, None, catalog) == [], wrong
        assert engine.rank(evidence, None, Catalog([("test", made(full))]))

    @pytest.mark.parametrize(
        ("signs", "rival", "expected"),
        [
            ((("root", 0.8), ("confirms", 0.8)), 0.3, "confirmed"),
            ((("root", 0.8), ("confirms", 0.5)), 0.3, "likely"),
            ((("root", 0.8),), 0.3, "likely"),
            ((("follows", 0.6), ("confirms", 0.8)), 0.3, "possible"),
            ((("root", 0.8),), 0.79, "possible"),
        ],
    )
    def test_confidence_follows_from_what_was_found(
        self, signs: tuple[tuple[Role, float], ...], rival: float, expected: str
    ) -> None:
        """Confirmed takes a root and a fact; a rival close by, or mere consequences, leave it possible."""
        first = made(*(Signature(role, ("alpha",), weight=weight) for role, weight in signs))
        second = made(Signature("root", ("alpha",), weight=rival), id="other-cause")
        ranked = engine.rank(
            from_text("InternalError", "alpha"), None, Catalog([("a", first), ("b", second)])
        )
        assert engine.confidence(ranked) == expected

    def test_help_is_given_where_its_conditions_hold(self) -> None:
        """Advice that the facts don't allow isn't given."""
        cause = made(
            Signature("root", ("alpha",)),
            help=(
                Help("On Windows.", needs=("platform:windows",)),
                Help("Elsewhere.", sure=False, unless=("platform:windows",)),
            ),
        )
        catalog = Catalog([("test", cause)])
        diagnosis = engine.diagnose(from_text("InternalError", "alpha"), Facts(platform="linux"), catalog)
        assert diagnosis is not None
        assert [(help.text, help.sure) for help in diagnosis.help] == [("Elsewhere.", False)]

    def test_help_for_a_mere_possibility_is_worth_a_try(self) -> None:
        """Where the cause itself isn't sure, no advice is."""
        cause = made(Signature("follows", ("alpha",), weight=0.5), help=(Help("Do it."),))
        diagnosis = engine.diagnose(from_text("InternalError", "alpha"), None, Catalog([("test", cause)]))
        assert diagnosis is not None
        assert (diagnosis.confidence, diagnosis.help[0].sure) == ("possible", False)


class TestSilence:
    """Silence beats a wrong word."""

    @pytest.mark.parametrize("exception", ["AssertionError", "Failed", "KeyboardInterrupt"])
    def test_a_tests_own_verdict_gets_nothing(self, exception: str) -> None:
        """An assertion is an ordinary failure, even one that quotes CUDA's errors."""
        assert engine.diagnose(from_text(exception, OOM, [HANDLE])) is None

    @pytest.mark.parametrize("message", ["", "all went well", "CUDA GPU cuDNN memory device tensor"])
    def test_an_unknown_text_gets_nothing(self, message: str) -> None:
        """Words that GPU errors use, too, prove nothing."""
        assert engine.diagnose(from_text("InternalError", message)) is None

    def test_lines_of_a_healthy_start_get_nothing(self) -> None:
        """What TensorFlow prints on every start, on a machine without a GPU, is no failure."""
        log = [
            "I0000 00:00:1795252086.690276 5639 port.cc:153] oneDNN custom operations are on. You may see slightly "
            "different numerical results due to floating-point round-off errors",
            "E0000 00:00:1 1 cuda_fft.cc:477] Unable to register cuFFT factory: Attempting to register factory for "
            "plugin cuFFT when one has already been registered",
            "W tensorflow/core/common_runtime/bfc_allocator.cc:243] Allocator (GPU_0_bfc) ran out of memory trying to "
            "allocate 2.25GiB. The caller indicates that this is not a failure, but may mean that there could be "
            "performance gains if more memory were available.",
        ]
        assert engine.diagnose(from_text(log=log)) is None

    def test_a_missing_driver_is_no_reason_for_wrong_shapes(self) -> None:
        """On a machine that is meant to have no GPU, other failures print the same lines."""
        log = (
            "E cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: "
            "UNKNOWN ERROR (303)"
        )
        message = "Incompatible shapes: [2] vs. [3] [Op:AddV2] name: "
        assert cause_of(message, log, exception="InvalidArgumentError") == "shape-mismatch"
        assert known("InvalidArgumentError", message, log).alternatives == ()

    def test_what_a_fair_reader_would_not_consider_is_not_listed(self) -> None:
        """Where the cause shows, another one that only shares a turn of phrase with it isn't an alternative."""
        message = "Cast string to float is not supported [Op:Cast]"
        assert known("UnimplementedError", message).alternatives == ()
        oom = (
            "OOM when allocating tensor with shape[8] and type float on /device:GPU:0 by allocator GPU_0_bfc"
        )
        assert "memory-leak" not in known("ResourceExhaustedError", oom).alternatives

    def test_a_text_without_class_is_no_exception(self) -> None:
        """What was told without the class of an exception is quoted as a message."""
        assert known("", "No DNN in stream executor.").evidence[0].origin == "message"
        assert known("InternalError", "No DNN in stream executor.").evidence[0].origin == "exception"

    def test_a_text_in_the_exception_counts_for_a_signature_that_also_asks_the_log(self) -> None:
        """A sign of which one half stands in the exception isn't one of the log alone."""
        line = '  File "keras/engine/saving.py", line 1183, in load_weights_from_hdf5_group'
        error = "'str' object has no attribute 'decode'"
        assert cause_of(error, line, exception="AttributeError") == "python-package-conflict"

    def test_an_error_that_was_handled_before_is_not_this_one(self) -> None:
        """What an earlier operation printed, and the program survived, stands back behind the exception."""
        log = "W op_kernel.cc:1] failed at gather_op.cc:1 : INVALID_ARGUMENT: indices[0] = 7 is not in [0, 1)"
        diagnosis = known("UnimplementedError", "Cast string to float is not supported [Op:Cast]", log)
        assert (diagnosis.cause, diagnosis.confidence) == ("unsupported-cast", "likely")

    def test_nothing_of_the_gpu_is_listed_beside_a_cause_that_has_none(self) -> None:
        """Where the GPU has no part in it, no GPU cause is an alternative."""
        diagnosis = known(
            "ResourceExhaustedError",
            "/data/model.ckpt.tempstate12; No space left on device\n\t [[node save/SaveV2]]\nHint: If you want to "
            "see a "
            "list of allocated tensors when OOM happens, add report_tensor_allocations_upon_oom to RunOptions.",
        )
        assert (diagnosis.cause, diagnosis.category, diagnosis.alternatives) == ("disk-full", "not-gpu", ())


class TestMemory:
    """Numbers are read, not only words."""

    def test_an_allocation_on_the_gpu_is_the_gpus(self) -> None:
        """Allocator GPU_0_bfc: the workload is too large."""
        diagnosis = known("ResourceExhaustedError", OOM)
        assert (diagnosis.cause, diagnosis.confidence) == ("out-of-memory", "likely")
        assert "takes 256.0 MiB" in (diagnosis.note or "")

    def test_a_full_allocator_bears_it_out(self) -> None:
        """In use and limit are compared, in bytes and in human units."""
        for limit, used in (("7510566502", "7367076608"), ("6.99GiB", "6.86GiB")):
            log = [f"Limit:                  {limit}", f"InUse:                  {used}"]
            assert known("ResourceExhaustedError", OOM, *log).confidence == "confirmed"

    def test_a_request_beyond_the_card_is_out_of_memory(self) -> None:
        """A tensor larger than the card can't fit, whoever else holds memory."""
        huge = OOM.replace("64,1024,1024", "8192,1024,1024")
        assert cause_of(huge, exception="ResourceExhaustedError", gpus=(T4,)) == "out-of-memory"

    def test_memory_that_another_process_holds(self) -> None:
        """A process in NVML's list, with memory that matters, explains a shortage."""
        process = GpuProcess(4711, "python", 9000, 0)
        assert cause_of(OOM, exception="ResourceExhaustedError", gpus=(T4,), gpu_processes=(process,)) == (
            "memory-held-by-other-process"
        )

    def test_a_small_process_does_not_matter(self) -> None:
        """A desktop's hundred MiB don't explain a shortage."""
        process = GpuProcess(1, "Xorg", 100, 0)
        facts = {"gpus": (T4,), "gpu_processes": (process,)}
        assert cause_of(OOM, exception="ResourceExhaustedError", **facts) == "out-of-memory"

    def test_little_memory_at_the_start_means_others_hold_it(self) -> None:
        """`Created device ... with N MB` far below the card's memory."""
        log = (
            "I tensorflow/core/common_runtime/gpu/gpu_device.cc:1532] Created device /job:localhost/replica:0/task:0/"
            "device:GPU:0 with 1200 MB memory:  -> device: 0, name: Tesla T4"
        )
        assert (
            cause_of(OOM, log, exception="ResourceExhaustedError", gpus=(T4,))
            == "memory-held-by-other-process"
        )

    def test_pieces_that_are_too_small_are_fragmentation(self) -> None:
        """The sum of the free pieces is enough, the largest isn't."""
        log = [
            f"I bfc_allocator.cc:1] Free  at 7f00 of size {200 << 20} next {number}" for number in range(4)
        ]
        diagnosis = known("ResourceExhaustedError", OOM, *log)
        assert diagnosis.cause == "memory-fragmentation"
        assert "in 4 pieces, the largest 200.0 MiB; 256.0 MiB were asked for." in (diagnosis.note or "")

    def test_the_printed_hint_is_no_evidence_of_fragmentation(self) -> None:
        """TensorFlow prints it with every failed allocation."""
        log = (
            "W bfc_allocator.cc:502] Allocator (GPU_0_bfc) ran out of memory trying to allocate 256.00MiB (rounded to "
            "268435456)requested by op Mul\nIf the cause is memory fragmentation maybe the environment variable "
            "'TF_GPU_ALLOCATOR=cuda_malloc_async' will improve the situation."
        )
        assert "memory-fragmentation" not in (
            cause_of(OOM, log),
            *known("InternalError", OOM, log).alternatives,
        )

    def test_counters_of_a_long_session_are_a_leak(self) -> None:
        """Names that count into the hundreds tell of models that were never freed."""
        message = (
            "OOM when allocating tensor with shape[10]\n\t [[Node: dense_811/MatMul = "
            "MatMul[T=DT_FLOAT](a_811, b_811)]]"
        )
        assert cause_of(message, exception="ResourceExhaustedError") == "memory-leak"

    def test_a_whole_array_gets_no_advice_about_batches(self) -> None:
        """Where the data set is copied at once, a smaller batch changes nothing."""
        message = (
            "Failed copying input tensor from /job:localhost/replica:0/task:0/device:CPU:0 to /job:localhost/"
        )
        message += "replica:0/task:0/device:GPU:0 in order to run _EagerConst: Dst tensor is not initialized."
        texts = [help.text for help in known("InternalError", message).help]
        assert any("as one array" in text for text in texts)
        assert not any(text.startswith("Use a smaller batch") for text in texts)

    def test_shared_memory_is_said_to_be_shared(self) -> None:
        """On a Jetson GPU and host share one memory."""
        diagnosis = known("ResourceExhaustedError", OOM, platform="jetson")
        assert diagnosis.cause == "out-of-memory"
        assert "share one memory" in (diagnosis.note or "")


class TestLibraries:
    """cuDNN and cuBLAS that can't start: memory, versions or an earlier fault."""

    def test_without_more_all_candidates_are_listed(self) -> None:
        """A handle that fails, with no figure beside it, is possible only, with three candidates."""
        diagnosis = known("UnknownError", CONV, HANDLE)
        assert diagnosis.confidence == "possible"
        assert {diagnosis.cause, *diagnosis.alternatives} >= {
            "memory-preallocated",
            "memory-held-by-other-process",
            "cudnn-version-mismatch",
        }
        assert diagnosis.cause == "memory-preallocated"

    def test_tensorflows_guess_is_named_as_unused(self) -> None:
        """The sentence `This is probably because ...` is advice, never evidence."""
        assert "it was not used" in (known("UnknownError", CONV, HANDLE).note or "")

    @pytest.mark.parametrize(
        ("free", "cause"), [(1, "memory-preallocated"), (14 << 30, "cudnn-version-mismatch")]
    )
    def test_free_memory_decides(self, free: int, cause: str) -> None:
        """`Memory usage: N bytes free` after the failure tells memory from versions."""
        log = f"E cuda_dnn.cc:466] Memory usage: {free} bytes free, {15 << 30} bytes total."
        assert cause_of("No DNN in stream executor.", HANDLE, log) == cause

    def test_the_version_line_beats_the_exception(self) -> None:
        """The loaded and the compiled version decide, whatever the exception says."""
        log = "E cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.3.0."
        diagnosis = known("InvalidArgumentError", "No DNN in stream executor.", log)
        assert (diagnosis.cause, diagnosis.confidence) == ("cudnn-version-mismatch", "confirmed")
        assert diagnosis.evidence[0].text == log
        assert (diagnosis.evidence[0].origin, diagnosis.evidence[0].line) == ("log", 1)

    def test_after_a_fault_everything_is_a_consequence(self) -> None:
        """No advice about memory follows a fault earlier in the process."""
        seen = from_text("InternalError", "No DNN in stream executor.", [HANDLE], earlier=["gpu-fault"])
        diagnosis = engine.diagnose(seen)
        assert diagnosis is not None
        assert diagnosis.cause == "earlier-gpu-fault"
        assert not any("growth" in help.text.lower() for help in diagnosis.help)

    def test_a_new_card_under_an_old_cuda(self) -> None:
        """Compute capability 8.6 doesn't run on CUDA 10."""
        gpu = Gpu(0, "NVIDIA GeForce RTX 3090")
        assert (
            cause_of("Blas GEMM launch failed", tensorflow="2.3.0", gpus=(gpu,))
            == "unsupported-compute-capability"
        )

    def test_an_old_driver_under_a_new_cuda(self) -> None:
        """Versions are compared before a driver is called too old."""
        log = HANDLE.replace("INTERNAL_ERROR", "NOT_INITIALIZED")
        assert (
            cause_of("No DNN in stream executor.", log, driver="460.32", tensorflow="2.16.1")
            == "driver-too-old"
        )


def test_the_answer_does_not_depend_on_the_order_of_causes() -> None:
    """All causes are weighed; none wins for being first."""
    from pytest_tfgpu.knowledge.catalog import builtin_causes

    backwards = Catalog(("test", cause) for cause in reversed(builtin_causes()))
    seen = from_text("UnknownError", CONV, [HANDLE])
    assert engine.diagnose(seen) == engine.diagnose(seen, None, backwards)


def test_the_same_question_gets_the_same_answer() -> None:
    """The engine keeps nothing from one failure to the next."""
    first = engine.diagnose(from_text("UnknownError", CONV, [HANDLE]))
    engine.diagnose(from_text("ResourceExhaustedError", OOM))
    assert engine.diagnose(from_text("UnknownError", CONV, [HANDLE])) == first


def test_the_public_function_takes_exceptions_and_texts() -> None:
    """`pytest_tfgpu.diagnose` judges a raised exception or its texts alike."""
    by_name = pytest_tfgpu.diagnose("ResourceExhaustedError", message=OOM)
    assert by_name is not None
    assert by_name.cause == "out-of-memory"
    error = type(
        "ResourceExhaustedError", (Exception,), {"__module__": "tensorflow.python.framework.errors_impl"}
    )(OOM)
    assert pytest_tfgpu.diagnose(error) == by_name
    assert pytest_tfgpu.diagnose(ValueError(OOM)) is None
    assert pytest_tfgpu.diagnose() is None


words = st.sampled_from(
    [
        "CUDA_ERROR_OUT_OF_MEMORY",
        "Limit: 12",
        "InUse: 9GiB",
        "OOM when allocating tensor with shape[",
        "device='GPU'; T in [",
        "Loaded runtime CuDNN library: 1 but source was compiled with: 2",
        "\n",
        "{{node x}}",
        "[[",
        "]]",
        "(0) ",
        "é",
        "\x1b[",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(words, st.text(max_size=20)), max_size=30), st.lists(words, max_size=10))
def test_no_evidence_makes_the_engine_fail(message: list[str], log: list[str]) -> None:
    """Whatever stands in message and log, the answer is a diagnosis or none."""
    diagnosis = engine.diagnose(from_text("InternalError", " ".join(message), log), Facts(gpus=(T4,)))
    assert diagnosis is None or diagnosis.summary


ONLY_CPU = "All available devices [/job:localhost/replica:0/task:0/device:CPU:0]."


@pytest.mark.parametrize(
    "text",
    [
        "Could not satisfy device specification '/job:localhost/replica:0/task:0/device:GPU:{}'. " + ONLY_CPU,
        "/job:localhost/replica:0/task:0/device:GPU:{} unknown device.",
        "Cannot assign a device for operation a: Operation was explicitly assigned to /device:GPU:{} but available "
        "devices are [ /job:localhost/replica:0/task:0/device:CPU:0 ].",
    ],
)
def test_gpus_that_few_machines_have(text: str) -> None:
    """Who names the first GPU lost it for want of a driver; who names the eighth names one that isn't there."""
    line = "E cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)"
    assert cause_of(text.format(7), line, exception="InvalidArgumentError") == "invalid-device"
    assert cause_of(text.format(0), line, exception="InvalidArgumentError") == "driver-missing"


def rival_catalog() -> Catalog:
    """Return a catalogue of one cause that shows and three that it is often taken for."""
    first = Cause(
        id="first",
        category="memory",
        summary="It is the first.",
        signatures=(Signature("root", ("it broke",)), Signature("confirms", ("for certain",), weight=0.9)),
        rivals=("second", "unheard-of", "third", "fourth"),
    )
    others = [
        Cause(
            id=name,
            category="memory",
            summary="It is another.",
            signatures=(Signature("root", (f"{name} broke",)), Signature("excludes", (f"not the {name}",))),
        )
        for name in ("second", "third", "fourth")
    ]
    return Catalog([("tests", cause) for cause in (first, *others)])


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("it broke", ["first", "second", "third"]),
        ("it broke, not the second", ["first", "third", "fourth"]),
        ("it broke, the third broke", ["first", "third", "second"]),
        ("it broke for certain", ["first"]),
        ("nothing is known", []),
    ],
)
def test_a_ranking_goes_on_with_what_the_first_is_taken_for(message: str, named: list[str]) -> None:
    """Up to three causes, without those that the evidence excludes; where the first is confirmed, it alone."""
    catalog = rival_catalog()
    ranking = engine.ranking(from_text("InternalError", message), catalog=catalog)
    assert [candidate.cause.id for candidate in ranking] == named
    assert engine.rank(from_text("InternalError", "it broke"), catalog=catalog)[1:] == []
