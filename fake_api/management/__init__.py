"""The management HTTP as azureml-core speaks it: ARM and its stand-ins, services, models, files, computes, environments.

app         all routes together                 desk        who is asked: workspace, bearer, URLs
errors      refusals as the services word them  reading     bodies, bounded while they are read
describing  the OpenAPI document                ports    what they need of server and workspace

Routes translate and decide nothing: each is one verb of `akstwin.backend.ValidatingBackend`, so
that any world can stand behind them.
"""
