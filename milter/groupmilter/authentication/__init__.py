"""Who the sender is: from login, network or (as a given fact) DKIM and SPF to the identity that rights hang on."""
