"""The scanners of the cohort: what they write in their headers, and how their images differ."""
