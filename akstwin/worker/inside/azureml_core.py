"""The names that azureml-core 1.61 has where entry scripts look for them, read off the installed package.

Scripts in a container import more of azureml-core than they use. What they use of it is `Model.get_model_path` and the errors
(`models`); any other name can be imported, and says what to install when it is used.
"""

from typing import Any

from .models import AzureMLException, Imported, Model, ModelNotFoundException, WebserviceException

VERSION = "1.61.0"
_TABLE = """
azureml.core: ComputeTarget ContainerRegistry Dataset Datastore Environment Experiment Image Keyvault LinkedService Model
  PrivateEndPoint PrivateEndPointConfig Run RunConfiguration ScriptRun ScriptRunConfig
  SynapseWorkspaceLinkedServiceConfiguration Webservice Workspace attach_legacy_compute_target diagnostic_log get_run
  is_compute_target_prepared prepare_compute_target remove_legacy_compute_target
azureml.core.authentication: AbstractAuthentication AccessToken ArmTokenAuthentication Audience AzureCliAuthentication
  AzureMLTokenAuthentication InteractiveLoginAuthentication MsiAuthentication ServicePrincipalAuthentication
  TokenAuthentication
azureml.core.compute: AdlaCompute AksCompute AmlCompute BatchCompute ComputeInstance ComputeTarget DataFactoryCompute
  DatabricksCompute DsvmCompute HDInsightCompute KubernetesCompute KustoCompute RemoteCompute SynapseCompute
azureml.core.compute.adla: AdlaCompute DataLakeAnalyticsAttachConfiguration
azureml.core.compute.aks: AksAttachConfiguration AksCompute AksProvisioningConfiguration AksUpdateConfiguration
  SslConfiguration SystemService
azureml.core.compute.amlcompute: AmlCompute AmlComputeNodeStateCounts AmlComputeProvisioningConfiguration AmlComputeStatus
  ScaleSettings
azureml.core.compute.batch: BatchAttachConfiguration BatchCompute
azureml.core.compute.compute: ComputeTarget ComputeTargetAttachConfiguration ComputeTargetProvisioningConfiguration
  ComputeTargetUpdateConfiguration
azureml.core.compute.computeinstance: ComputeInstance ComputeInstanceProvisioningConfiguration ComputeInstanceStatus
azureml.core.compute.databricks: DatabricksAttachConfiguration DatabricksCompute
azureml.core.compute.datafactory: DataFactoryAttachConfiguration DataFactoryCompute DataFactoryProvisioningConfiguration
azureml.core.compute.dsvm: DsvmCompute DsvmProvisioningConfiguration
azureml.core.compute.hdinsight: HDInsightAttachConfiguration HDInsightCompute
azureml.core.compute.kubernetescompute: KubernetesCompute KubernetesComputeAttachConfiguration KubernetesComputeStatus
azureml.core.compute.kusto: KustoAttachConfiguration KustoCompute
azureml.core.compute.remote: RemoteCompute RemoteComputeAttachConfiguration
azureml.core.compute.synapse: SynapseAttachConfiguration SynapseCompute
azureml.core.compute_target: AbstractComputeTarget LocalTarget attach_legacy_compute_target is_compute_target_prepared
  prepare_compute_target remove_legacy_compute_target
azureml.core.conda_dependencies: CondaDependencies
azureml.core.container_registry: ContainerRegistry RegistryIdentity
azureml.core.dataset: Dataset
azureml.core.datastore: Datastore
azureml.core.environment: DockerBuildContext DockerEnvironment DockerImageDetails DockerImagePlatform DockerSection
  Environment EnvironmentReference ImageBuildDetails PythonEnvironment PythonSection RCranPackage RGitHubPackage RSection
  SparkEnvironment SparkPackage SparkSection
azureml.core.experiment: Experiment ViewType
azureml.core.image: ContainerImage Image UnknownImage
azureml.core.image.container: ContainerImage ContainerImageConfig
azureml.core.image.image: Asset Image ImageConfig TargetRuntime
azureml.core.image.unknown_image: UnknownImage
azureml.core.keyvault: Keyvault
azureml.core.linked_service: LinkedService LinkedServiceConfiguration SynapseWorkspaceLinkedServiceConfiguration
azureml.core.model: InferenceConfig Model ModelPackage
azureml.core.private_endpoint: PrivateEndPoint PrivateEndPointConfig
azureml.core.profile: ModelProfile
azureml.core.resource_configuration: ResourceConfiguration
azureml.core.run: InputDatasets LinkOutput OutputDatasets Run get_run
azureml.core.runconfig: AmlComputeConfiguration ApplicationEndpointConfiguration AzureContainerRegistry ContainerRegistry Data
  DataLocation DataPath DataReferenceConfiguration DatacacheConfiguration Dataset DatasetRegistrationOptions
  DockerConfiguration EnvironmentDefinition GlobsOptions HdiConfiguration HistoryConfiguration KubernetesComputeConfiguration
  MountOptions MpiConfiguration OutputData OutputOptions ParallelTaskConfiguration PyTorchConfiguration RegistrationOptions
  RunConfiguration SparkConfiguration TensorflowConfiguration UploadOptions Uri
azureml.core.script_run: ScriptRun
azureml.core.script_run_config: ScriptRunConfig get_run_config_from_script_run submit
azureml.core.webservice: AciWebservice AksEndpoint AksWebservice LocalWebservice UnknownWebservice Webservice
azureml.core.webservice.aci: AciServiceDeploymentConfiguration AciWebservice ContainerResourceRequirements
  EncryptionProperties VnetConfiguration
azureml.core.webservice.aks: AksEndpoint AksEndpointDeploymentConfiguration AksServiceAccessToken
  AksServiceDeploymentConfiguration AksWebservice AutoScaler ContainerResourceRequirements DataCollection
  LivenessProbeRequirements
azureml.core.webservice.container_resource_requirements: ContainerResourceRequirements
azureml.core.webservice.local: LocalWebservice LocalWebserviceDeploymentConfiguration
azureml.core.webservice.unknown_webservice: UnknownWebservice
azureml.core.webservice.webservice: AutoScaler ContainerResourceRequirements DataCollection LivenessProbeRequirements
  WebServiceAccessToken Webservice WebserviceDeploymentConfiguration
azureml.core.workspace: Workspace
azureml.exceptions: ActivityFailedException AuthenticationException AzureMLAggregatedException AzureMLException
  ComputeTargetException DatasetTimestampMissingError DiscoveryUrlNotFoundException ExperimentExecutionException
  ModelNotFoundException ModelPathNotFoundException ParallelRunException ProjectSystemException RunConfigurationException
  RunEnvironmentException ServiceException SnapshotException TrainingException UserErrorException WebserviceException
  WorkspaceException WorkspacePrivateEndpointException
azureml.data: DataType DatacacheStore FileDataset HDFSOutputDatasetConfig LinkFileOutputDatasetConfig
  LinkTabularOutputDatasetConfig OutputFileDatasetConfig TabularDataset
azureml.data.azure_storage_datastore: AbstractAzureStorageDatastore AzureBlobDatastore AzureFileDatastore
azureml.data.data_reference: DataReference
azureml.data.datapath: DataPath DataPathComputeBinding
azureml.data.dataset_consumption_config: DatasetConsumptionConfig
azureml.data.dataset_error_handling: DatasetExecutionError DatasetValidationError
azureml.data.dataset_factory: DataType FileDatasetFactory TabularDatasetFactory
azureml.data.file_dataset: FileDataset
azureml.data.output_dataset_config: HDFSOutputDatasetConfig LinkFileOutputDatasetConfig LinkTabularOutputDatasetConfig
  MountOptions OutputDatasetConfig OutputFileDatasetConfig OutputTabularDatasetConfig RegistrationConfiguration
  TransformationMixin UploadOptions
azureml.data.tabular_dataset: TabularDataset
"""
"""Module: its names. A line that is indented goes on with the module above."""


def contents(module: str) -> dict[str, Any]:
    """What a module of azureml-core has here."""
    own: dict[str, Any] = {
        each.__name__: each for each in (AzureMLException, ModelNotFoundException, WebserviceException)
    }
    if module != "azureml.exceptions":
        own = {"Model": Model}
    made = {name: own.get(name) or _named(name, module) for name in NAMES[module]}
    return made | ({"VERSION": VERSION, "__version__": VERSION} if module == "azureml.core" else {})


def _named(name: str, module: str) -> Any:
    if module == "azureml.exceptions":
        return type(name, (AzureMLException,), {"__module__": module, "__doc__": "Never raised here."})
    return Imported(name, (), {"__module__": module})


def _names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _TABLE.strip().replace("\n  ", " ").splitlines():
        module, _, names = line.partition(":")
        found[module] = names.split()
    return found


NAMES = _names()
"""The public names of each module."""
