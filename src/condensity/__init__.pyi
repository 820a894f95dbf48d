from condensity import datasets as datasets
from condensity import export as export
from condensity import plots as plots
from condensity import report as report
from condensity import scorers as scorers
from condensity import scores as scores
from condensity import selection as selection
from condensity.distributions import Distribution as Distribution
from condensity.distributions import Mixture as Mixture
from condensity.distributions import MonotoneMap as MonotoneMap
from condensity.distributions import TransformedMixture as TransformedMixture
from condensity.estimators.base import AbstractDensityRegressor as AbstractDensityRegressor
from condensity.estimators.joint_gmm import JointGMMRegressor as JointGMMRegressor
from condensity.estimators.loading import load as load
from condensity.estimators.mdn import MDNRegressor as MDNRegressor
from condensity.estimators.out_of_fold import cross_val_predict_dist as cross_val_predict_dist
from condensity.estimators.unwrap import predict_dist as predict_dist
from condensity.estimators.unwrap import predict_interval as predict_interval
from condensity.estimators.unwrap import predict_quantiles as predict_quantiles
from condensity.estimators.unwrap import predict_region as predict_region
from condensity.inverse import WeightedDraws as WeightedDraws
from condensity.persistence import ModelFileError as ModelFileError
from condensity.report import write_report as write_report

__version__: str
