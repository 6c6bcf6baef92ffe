"""What a run is (`fields`), and where its settings come from (`load`)."""

from helpers.captchas.styles import PRESETS, CaptchaStyle
from helpers.settings.fields import Settings, check_experiment_name
from helpers.settings.load import PROFILES, load_settings, open_experiment, other_profile, person_sits
