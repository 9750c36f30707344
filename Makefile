# make demo and make test do all their own set-up; VENV=… puts the environment elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RECIPES := $(addprefix tabletop/,clip dino segformer perceptual judge diffusion) region region_captions

.PHONY: demo test lint bench weights clean
.NOTPARALLEL:

demo: $(READY)  ## ends in an edit: out/demo/sheet.png
	$(BIN)/python -m lr_edit.demo --output out/demo

test: $(READY)  ## all tests, two at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

bench: $(READY)  ## ratios, measured side by side in one run
	$(BIN)/python -m lr_edit.evaluation.bench
	$(BIN)/python -m lr_edit.evaluation.bench_sizes --output docs/bench.md

# Large tensors come and go every step: their memory is kept, not given back and cleared again.
weights: export MALLOC_MMAP_THRESHOLD_ = 4294967296
weights: export MALLOC_TRIM_THRESHOLD_ = 8589934592
weights: export MALLOC_TOP_PAD_ = 268435456
weights: $(READY)  ## every recipe in order: train, measure, install with its card
	for name in $(RECIPES); do \
	  $(BIN)/python train.py fit --config configs/$$name.yaml && \
	  $(BIN)/python -m lr_edit.training.install $${name##*/} || exit 1; \
	done

$(READY): requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

clean:  ## removes results and what can be rendered again; trained runs stay
	rm -rf out .cache .pytest_cache .mypy_cache .ruff_cache
