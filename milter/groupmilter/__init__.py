"""groupmilter: distribution groups for Postfix and Sendmail, straight from the directory."""

__version__ = "0.1.0"
