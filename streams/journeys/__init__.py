"""JOURNEYS: accounts from the snapshots of their fragments, their journeys and stages."""
