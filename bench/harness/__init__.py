"""What `bench/run` is made of: peers, measurement, report and plots."""
