"""The notebooks run on the quick profile and in a temporary data folder, however pytest is started."""

import atexit
import os
import shutil
import tempfile

folder = tempfile.mkdtemp(prefix="captcha-notebooks-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["CAPTCHA_DATA_DIR"] = folder
os.environ["CAPTCHA_PROFILE"] = "quick"
os.environ["CAPTCHA_UNATTENDED"] = "1"  # no person sits here
