"""Many independent tasks, here or on a Ray cluster: trainings, measurements, whole searches.

Ray places them and repeats those whose node died; nothing here schedules. Only `ray_cluster`
imports Ray, and only when it connects.
"""
