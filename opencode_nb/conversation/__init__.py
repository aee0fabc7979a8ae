"""What a session is: transcript, turns, policy. Knows neither IPython nor widgets; calls back who subscribed."""
