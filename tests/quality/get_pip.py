"""Stands in for get-pip.py in the cache of ansible-test: pip from ensurepip, then the packages that are asked for."""

import subprocess
import sys

OF_GET_PIP_ONLY = ("--no-setuptools", "--no-wheel")

subprocess.run([sys.executable, "-m", "ensurepip", "--upgrade"], check=True, stdout=subprocess.DEVNULL)
arguments = [argument for argument in sys.argv[1:] if argument not in OF_GET_PIP_ONLY]
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=False).returncode)
