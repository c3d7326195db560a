/**
 * Classes of scikit-learn that are written in Python and make up models: those that 1.2 defines (their own modules, not
 * what these import) and those of versions before and after it. None has a `__setstate__` or a `__setattr__` of its own,
 * so that a state is stored and nothing is called, but for those that `allow_list.ts` names before.
 */
const NAMES =
  "ARDRegression AbsoluteError AdaBoostClassifier AdaBoostRegressor AdamOptimizer AdditiveChi2Sampler " +
  "AffinityPropagation AgglomerationTransform AgglomerativeClustering ArgKmin BaggingClassifier " +
  "BaggingRegressor BaseBagging BaseCrossValidator BaseDecisionTree BaseDistancesReductionDispatcher " +
  "BaseEnsemble BaseEstimator BaseForest BaseGradientBoosting BaseGraphicalLasso " +
  "BaseHistGradientBoosting BaseLabelPropagation BaseLibSVM BaseLink BaseLoss BaseMixture " +
  "BaseMultiLayerPerceptron BaseMultilayerPerceptron BaseOptimizer BaseRandomProjection BaseSGD " +
  "BaseSGDClassifier BaseSGDRegressor BaseSVC BaseSearchCV BaseShuffleSplit BaseSpectral " +
  "BaseSuccessiveHalving BaseThresholdClassifier BaseWeightBoosting BayesianGaussianMixture " +
  "BayesianRidge BernoulliNB BernoulliRBM BiclusterMixin Binarizer BinomialDeviance Birch " +
  "BisectingKMeans CCA CalibratedClassifierCV CategoricalEncoder CategoricalNB " +
  "ClassNamePrefixFeaturesOutMixin ClassicalMDS ClassificationLossFunction ClassifierChain " +
  "ClassifierMixin ClusterMixin ColumnTransformer ComplementNB CompoundKernel ConstantKernel " +
  "CountVectorizer DBSCAN DPGMM DecisionTreeClassifier DecisionTreeRegressor DensityMixin " +
  "DictVectorizer DictionaryLearning DotProduct DummyClassifier DummyRegressor ElasticNet ElasticNetCV " +
  "EllipticEnvelope EmpiricalCovariance ExpSineSquared ExponentialDispersionModel ExponentialLoss " +
  "Exponentiation ExtraTreeClassifier ExtraTreeRegressor ExtraTreesClassifier ExtraTreesRegressor " +
  "FactorAnalysis FastICA FeatureAgglomeration FeatureHasher FeatureUnion FixedThresholdClassifier " +
  "ForestClassifier ForestRegressor FrozenEstimator FunctionTransformer GMM GammaDistribution " +
  "GammaRegressor GaussianMixture GaussianNB GaussianProcess GaussianProcessClassifier " +
  "GaussianProcessRegressor GaussianRandomProjection GenericKernelMixin GenericUnivariateSelect " +
  "GradientBoostingClassifier GradientBoostingRegressor GraphicalLasso GraphicalLassoCV GridSearchCV " +
  "GroupKFold GroupShuffleSplit HDBSCAN HalfBinomialLoss HalfBinomialLossArrayAPI HalfGammaLoss " +
  "HalfMultinomialLoss HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity " +
  "HalvingGridSearchCV HalvingRandomSearchCV HashingVectorizer HistGradientBoostingClassifier " +
  "HistGradientBoostingRegressor HuberLossFunction HuberRegressor IdentityLink Imputer IncrementalPCA " +
  "Interval InverseGaussianDistribution IsolationForest Isomap IsotonicRegression IterativeImputer " +
  "KBinsDiscretizer KFold KMeans KNNImputer KNeighborsClassifier KNeighborsMixin KNeighborsRegressor " +
  "KNeighborsTransformer Kernel KernelCenterer KernelDensity KernelOperator KernelPCA KernelRidge LDA " +
  "LabelBinarizer LabelEncoder LabelPropagation LabelSpreading Lars LarsCV Lasso LassoCV LassoLars " +
  "LassoLarsCV LassoLarsIC LatentDirichletAllocation LeastAbsoluteError LeastSquaresError " +
  "LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut LedoitWolf LinearClassifierMixin " +
  "LinearDiscriminantAnalysis LinearModel LinearModelCV LinearModelLoss LinearRegression LinearSVC " +
  "LinearSVR LocalOutlierFactor LocallyLinearEmbedding LogLink LogOddsEstimator LogisticRegression " +
  "LogisticRegressionCV LogitLink LossFunction MDS MLPClassifier MLPRegressor Matern MaxAbsScaler " +
  "MeanEstimator MeanShift MetaEstimatorMixin MetadataRequest MetadataRouter MethodMapping " +
  "MethodMetadataRequest MinCovDet MinMaxScaler MiniBatchDictionaryLearning MiniBatchKMeans " +
  "MiniBatchNMF MiniBatchSparsePCA MissingIndicator MultiLabelBinarizer MultiOutputClassifier " +
  "MultiOutputMixin MultiOutputRegressor MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso " +
  "MultiTaskLassoCV MultinomialDeviance MultinomialLogit MultinomialNB NMF NearestCentroid " +
  "NearestNeighbors NeighborhoodComponentsAnalysis NeighborsBase NewtonCholeskySolver NewtonSolver " +
  "NormalDistribution NormalizedKernelMixin Normalizer NuSVC NuSVR Nystroem OAS OPTICS OneClassSVM " +
  "OneHotEncoder OneToOneFeatureMixin OneVsOneClassifier OneVsRestClassifier OrdinalEncoder " +
  "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV OutlierMixin OutputCodeClassifier PCA " +
  "PLSCanonical PLSRegression PLSSVD PairwiseKernel ParameterGrid ParameterSampler " +
  "PassiveAggressiveClassifier PassiveAggressiveRegressor PatchExtractor Perceptron PinballLoss " +
  "Pipeline PoissonDistribution PoissonRegressor PolynomialCountSketch PolynomialFeatures " +
  "PowerTransformer PredefinedSplit PriorProbabilityEstimator Product ProjectedGradientNMF QDA " +
  "QuadraticDiscriminantAnalysis QuantileEstimator QuantileLossFunction QuantileRegressor " +
  "QuantileTransformer RANSACRegressor RBF RBFSampler RFE RFECV RadiusNeighbors " +
  "RadiusNeighborsClassifier RadiusNeighborsMixin RadiusNeighborsRegressor RadiusNeighborsTransformer " +
  "RandomForestClassifier RandomForestRegressor RandomTreesEmbedding RandomizedLasso " +
  "RandomizedLogisticRegression RandomizedPCA RandomizedSearchCV RationalQuadratic " +
  "RegressionLossFunction RegressorChain RegressorMixin RepeatedKFold RepeatedStratifiedKFold Ridge " +
  "RidgeCV RidgeClassifier RidgeClassifierCV RobustScaler SGDClassifier SGDOneClassSVM SGDOptimizer " +
  "SGDRegressor SVC SVR ScaledLogOddsEstimator SelectFdr SelectFpr SelectFromModel SelectFwe " +
  "SelectKBest SelectPercentile SelectorMixin SelfTrainingClassifier SequentialFeatureSelector " +
  "ShrunkCovariance ShuffleSplit SimpleImputer SkewedChi2Sampler SparseCoder SparseCoefMixin SparsePCA " +
  "SparseRandomProjection SpectralBiclustering SpectralClustering SpectralCoclustering " +
  "SpectralEmbedding SplineTransformer SplitInfo StackingClassifier StackingRegressor StandardScaler " +
  "StationaryKernelMixin StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit Sum TSNE " +
  "TargetEncoder TfidfTransformer TfidfVectorizer TheilSenRegressor TimeSeriesSplit " +
  "TransformedTargetRegressor TransformerMixin TreeGrower TreeNode TreePredictor TruncatedSVD " +
  "TunedThresholdClassifierCV TweedieDistribution TweedieRegressor VBGMM VarianceThreshold " +
  "VotingClassifier VotingRegressor WhiteKernel ZeroEstimator _BaseChain _BaseDiscreteNB _BaseEncoder " +
  "_BaseFilter _BaseHeterogeneousEnsemble _BaseImputer _BaseKFold _BaseKMeans _BaseNB _BaseNMF " +
  "_BasePCA _BaseRidge _BaseRidgeCV _BaseScorer _BaseSparseCoding _BaseSparsePCA _BaseStacking " +
  "_BaseVoting _BinMapper _BinaryGaussianProcessClassifierLaplace _BisectingTree _CFNode _CFSubcluster " +
  "_CVIterableWrapper _CalibratedClassifier _ConstantPredictor _CurveScorer " +
  "_GeneralizedLinearRegressor _IdentityClassifier _IdentityRegressor _MultiOutputEstimator " +
  "_MultimetricScorer _PLS _PassthroughScorer _PredictScorer _ProbaScorer _RepeatedSplits " +
  "_RidgeClassifierMixin _RidgeGCV _SGDBase _Scorer _SigmoidCalibration _SubsampleMetaSplitter " +
  "_TemperatureScaling _ThresholdScorer _UnstableArchMixin _ValidationScoreCallback _VectorizerMixin";

/** The packages that models come from; the others test, fetch or look up things. */
const PACKAGES =
  "base|calibration|cluster|compose|covariance|cross_decomposition|decomposition|discriminant_analysis|" +
  "dummy|ensemble|feature_extraction|feature_selection|frozen|gaussian_process|grid_search|impute|isotonic|" +
  "kernel_approximation|kernel_ridge|lda|linear_model|manifold|metrics|mixture|model_selection|multiclass|" +
  "multioutput|naive_bayes|neighbors|neural_network|pipeline|preprocessing|qda|random_projection|semi_supervised|" +
  "svm|tree|_loss|utils\\._metadata_requests";

/** Held against `module:name`. */
export const SKLEARN_CLASS: RegExp = new RegExp(
  `^sklearn\\.(${PACKAGES})(\\.\\w+)*:(${NAMES.split(" ").join("|")})$`,
);
