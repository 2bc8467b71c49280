"""Why a detector told what it told: the token that claimed a person, and what that token looked at."""
