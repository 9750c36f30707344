"""One thread a test process: fastest for tiny tensors, and processes do not hinder each other."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
