"""One thread a test process: fastest for tiny tensors, and processes do not hinder each other."""

import torch

torch.set_num_threads(1)
