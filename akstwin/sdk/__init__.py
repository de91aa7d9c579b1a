"""The SDK's classes: Azure-shaped at the rim, values and the wire inside.

Over a backend (`akstwin.backend`):

- `workspace`: the one line of a script that names a world
- `model`, `inference`: registered models, and the script that scores; `model_files`: their files; `deploying`: them
- `environment`, `conda_dependencies`: what a script runs in
- `compute`: clusters; `compute_configuration`: what they are made, attached or changed with
- `webservice`: what all services have in common; `aks`: services and endpoints; `scoring`: a request to one
- `answers`: what a backend says, in the words of the SDK; `waiting`: for an operation; `upload`: what is uploaded

Without one:

- `configuration`: what a service or an endpoint is deployed with
- `requirements`: parts of a service, as its attributes show them
- `token`: an access token
- `resource_configuration`: what a model asks for
- `validation`: what is refused before anything is sent: one function for each call
- `rules`, `checks`: the rules behind it, and what a rule is
- `wire`: what is sent: create payloads and JSON patches
- `differences`: where azureml-core is defective, or checks less
- `exceptions`: the exceptions that scripts catch
"""
