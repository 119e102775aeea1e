"""What history says: soft and hard states, forecasts, baselines, recommendations. Pure: time comes as an argument."""
