"""The SDK's classes: Azure-shaped at the rim, values and the wire inside.

- `configuration`: what a service or an endpoint is deployed with
- `requirements`: parts of a service, as its attributes show them
- `token`: an access token
- `validation`: what is refused before anything is sent: one function for each call
- `rules`, `checks`: the rules behind it, and what a rule is
- `wire`: what is sent: create payloads and JSON patches
- `table`: parameters, their kinds and their places on the wire
- `differences`: where azureml-core is defective, or checks less
- `exceptions`: the one exception that scripts catch
"""
