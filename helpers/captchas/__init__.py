"""One captcha: its style, its fonts, how it is drawn, and how any picture is opened."""
